"""From what clients send to operations and addresses, and what is wrong with it."""
