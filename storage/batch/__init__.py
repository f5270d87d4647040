"""Batches: operations in, outcomes out, in one transaction."""
