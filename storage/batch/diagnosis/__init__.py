"""Diagnosis of refusals by the database, and of errors that only follow from others."""
