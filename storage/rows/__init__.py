"""Rows of one transaction: reads, writes, path resolution, etags."""
