"""Receipts of batches with an idempotency key."""
