"""From what the engine found to what clients see."""
