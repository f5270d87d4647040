"""Threads, and the queues for them."""
