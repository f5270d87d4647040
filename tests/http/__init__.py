"""The HTTP server: endpoints, limits, load, locks, shutdown."""
