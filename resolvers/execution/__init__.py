"""Runs batches and queries: plans what is read, asks the engine, hands on what it found."""
