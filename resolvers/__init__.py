"""Translation of client requests into storage operations, and of their outcomes into responses. No SQL."""
