"""Connections to the database, and the translation of their errors."""
