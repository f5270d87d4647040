"""The GraphQL types that clients see. This package does not execute anything."""
