"""Runs a batch: in bulk, in stages, or part by part."""
