"""GraphQL documents: what they select, and how much they may ask for."""
