"""The command line, settings, packaging, and the project itself."""
