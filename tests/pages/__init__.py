"""GraphiQL and the console, in a browser."""
