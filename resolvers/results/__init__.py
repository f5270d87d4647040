"""Conversion of the engine's outcomes and reads into responses."""
