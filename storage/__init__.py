"""The engine: operations to rows, in one transaction. It knows no GraphQL and no HTTP."""
