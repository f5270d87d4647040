"""The HTTP server: connections, routes, endpoints."""
