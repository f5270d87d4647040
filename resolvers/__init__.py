"""The translator: from what clients say to what storage does, and back. No SQL."""
