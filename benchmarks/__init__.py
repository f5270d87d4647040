"""Benchmarks of Partwise against programs that do the same work with only the driver: `python -m benchmarks`."""
