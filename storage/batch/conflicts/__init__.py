"""Interference between parts of a batch, and between batches."""
