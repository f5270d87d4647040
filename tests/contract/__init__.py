"""What clients can rely on, through HTTP, on both databases."""
