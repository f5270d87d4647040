"""What is done: operations in, outcomes out, in one transaction."""
