"""Connections to the database, and what may go wrong with them."""
