"""Execution of batches and queries: plans reads, runs the engine, returns what it read."""
