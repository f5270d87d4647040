"""Examples that come with the program."""
