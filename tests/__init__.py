"""The tests: through the front door first, then the pure parts."""
