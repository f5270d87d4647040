"""Which parts, and which batches, would be in each other's way."""
