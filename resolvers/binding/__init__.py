"""Binding of client input to operations and addresses, with its validation errors."""
