"""The engine: runs operations on rows in one transaction. It does not depend on GraphQL or HTTP."""
