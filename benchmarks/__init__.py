"""How fast Partwise is, beside programs that do the same work with the driver alone: `python -m benchmarks`."""
