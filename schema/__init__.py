"""The contract: what clients see. GraphQL types, nothing that runs."""
