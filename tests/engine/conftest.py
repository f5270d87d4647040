"""Fixtures of the engine's tests."""

from tests.support.writer_groups import groups, things

__all__ = ["groups", "things"]
