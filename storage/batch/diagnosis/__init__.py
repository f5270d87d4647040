"""Why the database refused, and which errors only follow from others."""
