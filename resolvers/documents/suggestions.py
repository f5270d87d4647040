"""Suggestions of similar names for error messages."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

_MOST_COMPARED = (
    5_000  # names, for all suggestions of a request: each takes about 10 µs, and every part can have an unknown name
)
_LONGEST = 100  # characters of a name


class Suggestions:
    """The suggestions of one request. After too many comparisons, it no longer suggests names."""

    __slots__ = ("_compared",)

    def __init__(self) -> None:
        self._compared = 0

    def __call__(self, name: str, known: Iterable[str]) -> str:
        """Return a question that suggests the most similar name; `""` if there is none."""
        names: Collection[str] = [*known]
        if len(name) > _LONGEST or self._compared > _MOST_COMPARED:
            return ""
        self._compared += len(names)
        near = get_close_matches(name, names, n=1)
        return f" Did you mean {near[0]!r}?" if near else ""
