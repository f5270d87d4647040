"""Random batches, queries and tables against models of their own."""
