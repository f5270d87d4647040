"""Fragments of SQL, each with its own parameters.

Parameters match their placeholders in any order of construction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """A fragment of a statement, with the parameters of its placeholders in their order."""

    text: str
    params: tuple[Any, ...] = ()

    def __add__(self, other: "Sql | str") -> "Sql":
        if isinstance(other, str):
            return Sql(self.text + other, self.params)
        return Sql(self.text + other.text, self.params + other.params)

    def __radd__(self, other: str) -> "Sql":
        return Sql(other + self.text, self.params)

    def __bool__(self) -> bool:
        return bool(self.text)


def join(separator: str, pieces: Iterable[Sql | str]) -> Sql:
    """Join fragments with a separator."""
    texts: list[str] = []
    params: list[Any] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
        else:
            texts.append(piece.text)
            params += piece.params
    return Sql(separator.join(texts), tuple(params))
