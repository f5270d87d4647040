"""The order in which writes must run, and the writes that may run together. Pure; docs/engine.md, section 4.

Each write has a write set and a read set of keys: its row, each unique value that it takes or releases, and the rows
that its foreign keys refer to, before and after. A write runs after every earlier write that writes a key in either of
its sets, and after every earlier one that reads a key in its write set. Nothing else orders writes, so those of one
level run together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from storage.rows.key_refs import KeyRef


class Kind(IntEnum):
    """The kind of a statement. Within a level the order does not matter, so it is this one."""

    DELETE = 1
    UPDATE = 2
    INSERT = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """The common properties of the writes of one statement."""

    kind: Kind
    resource: str
    attributes: tuple[str, ...] = ()  # that are given
    defaults: tuple[str, ...] = ()  # that are set to the database's default
    kept: tuple[str, ...] = ()  # that keep their value

    def __str__(self) -> str:
        others = [*(f"{name} = default" for name in self.defaults), *(f"{name} = {name}" for name in self.kept)]
        names = ", ".join([*self.attributes, *others])
        return f"{self.kind.name} {self.resource}({names})"


@dataclass(frozen=True, slots=True)
class Write:
    """One write: its shape, its write set and its read set."""

    shape: Shape
    writes: tuple[KeyRef, ...]
    reads: tuple[KeyRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Writes that run together, by their indexes among all writes."""

    shape: Shape
    members: list[int]


def schedule(writes: Iterable[Write], order: Mapping[str, int]) -> Sequence[Stage]:
    """Return the stages in which writes run; `order` is the order of the resources within a level."""
    written: dict[KeyRef, int] = {}  # key -> the level of its last writer
    read: dict[KeyRef, int] = {}  # key -> the highest level of its readers
    stages: dict[tuple[int, Shape], Stage] = {}
    for place, write in enumerate(writes):
        level = 0
        for ref in write.writes:
            level = max(level, written.get(ref, 0), read.get(ref, 0))
        for ref in write.reads:
            level = max(level, written.get(ref, 0))
        level += 1
        for ref in write.writes:
            written[ref] = level
        for ref in write.reads:
            if read.get(ref, 0) < level:
                read[ref] = level
        key = (level, write.shape)
        if key not in stages:
            stages[key] = Stage(shape=write.shape, members=[])
        stages[key].members.append(place)
    ordered = sorted(stages.items(), key=lambda each: (each[0][0], order[each[1].shape.resource], each[1].shape.kind))
    return [stage for _, stage in ordered]
