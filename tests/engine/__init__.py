"""How the engine does it: strategies, statements, connections, reflection."""
