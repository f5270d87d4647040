"""Which cells the writes of a resource touch: what the schedule orders them by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from storage.batch.schedule import Cell
from storage.catalog.model import Catalog, ForeignKey, Resource, Values


@dataclass(frozen=True, slots=True)
class _Cells:
    """One key, or one foreign key, of a resource: the attributes whose values name a cell, and whose cell it is."""

    attributes: tuple[str, ...]
    owner: tuple[str, tuple[str, ...]]  # the resource whose key it is, and that key

    def of(self, values: Values) -> Cell | None:
        """Name the cell; with a null among its values there is none."""
        own = tuple(values[name] for name in self.attributes)
        return None if None in own else (self.owner, own)


class ResourceCells:
    """The cells of one resource's rows."""

    def __init__(self, resource: Resource, catalog: Catalog) -> None:
        self._resource = resource
        self._catalog = catalog

    @cached_property
    def _row(self) -> _Cells:
        return _Cells(self._resource.key, (self._resource.name, self._resource.key))

    @cached_property
    def _unique(self) -> Sequence[_Cells]:
        name = self._resource.name
        return [_Cells(key.attributes, (name, key.attributes)) for key in self._resource.unique_keys]

    @cached_property
    def _foreign(self) -> Sequence[_Cells]:
        return [_foreign(key, self._catalog.target_of(key)) for key in self._resource.foreign_keys]

    @cached_property
    def judged(self) -> frozenset[str]:
        """The attributes of its unique and foreign keys: their values must be known before they are written."""
        return frozenset(name for each in (*self._unique, *self._foreign) for name in each.attributes)

    def of_whole(self, values: Values) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        """Name the cells that are written and read where a row is made or deleted."""
        row = self._row.of(values)
        return (row, (_CONTENT, row), *_present(self._unique, values)), tuple(_present(self._foreign, values))

    def of_change(
        self, before: Values, after: Values, changed: frozenset[str]
    ) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        """Name the cells that are written and read where a row changes: its content, what it takes and gives up."""
        content = (_CONTENT, self._row.of(before))
        unique = [each for each in self._unique if not changed.isdisjoint(each.attributes)] if changed else ()
        foreign = [each for each in self._foreign if not changed.isdisjoint(each.attributes)] if changed else ()
        return (
            (content, *_present(unique, before), *_present(unique, after)),
            (*_present(foreign, before), *_present(foreign, after)),
        )


_CONTENT = "content"  # of a row: what a change writes, and nobody who points at the row reads


def _foreign(key: ForeignKey, target: Resource) -> _Cells:
    """Find the target's own key that a foreign key points at: a cell has one name, in whatever order it is written."""
    here = dict(zip(key.target_attributes, key.attributes, strict=True))
    own = target.unique_key_of(frozenset(key.target_attributes)) or key.target_attributes
    return _Cells(tuple(here[name] for name in own), (target.name, own))


def _present(cells: Sequence[_Cells], values: Values) -> Iterator[Cell]:
    for each in cells:
        cell = each.of(values)
        if cell is not None:
            yield cell
