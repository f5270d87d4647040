"""A small shop: `models` has its tables, `data` fills them. `partwise serve` shows it when no database is named."""
