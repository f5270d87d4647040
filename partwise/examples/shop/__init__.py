"""A small shop: `models` defines its tables, `data` its rows. `partwise serve` serves it if no database is given."""
