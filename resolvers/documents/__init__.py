"""GraphQL documents: their selections and their limits."""
