"""Rows of one transaction: read, written, located, compared."""
