"""Bulk execution: independent blocks, each written in one statement. It runs most large batches (docs/engine.md, section 3).

Independence is checked before anything is written. Because the parts are independent, a part fails regardless of the
others. Parts with a failed precondition are known beforehand, and parts that the database refuses are found by
bisection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import repeat

from storage.batch.conflicts.independence import Independence, Reads
from storage.batch.execution.bisection import Bisection
from storage.batch.plan import rules
from storage.batch.plan.blocks import Block, DoneBlock, DoneBlocks, ResultDetail
from storage.batch.plan.decisions import Change, Create, Remove
from storage.batch.plan.keys import KeySource
from storage.batch.plan.locks import Wanted, lock_columns, wanted_by_blocks
from storage.batch.plan.operations import Verb
from storage.catalog import versions
from storage.catalog.model import Catalog, Resource
from storage.catalog.types import Integer, Value
from storage.connections.driver_errors import StatementRefused, without_frames
from storage.rows.doubts import Right, changing_rights, making_rights, removing_rights, settle
from storage.rows.etags import counted_versions
from storage.rows.row import KeyTuple, NotLoaded, RowColumns, key_order
from storage.rows.writer import Rows
from storage.sql import Columns, PostgresqlStatements, Unstorable

_STATUS = {Verb.CREATE: Create.status, Verb.UPDATE: Change.status, Verb.DELETE: Remove.status}
# Updates run before anything is created, so an update of an item that another part creates is refused. Creations run
# before anything is deleted, so one that takes a released unique value is refused. So neither needs a check beforehand.
_ORDER = {Verb.UPDATE: 0, Verb.CREATE: 1, Verb.DELETE: 2}


class Bulk:
    """One bulk run over blocks."""

    def __init__(self, rows: Rows, catalog: Catalog, blocks: Sequence[Block], shown: ResultDetail) -> None:
        order = {name: place for place, name in enumerate(catalog.resources)}
        self._rows = rows
        self._locks = isinstance(rows.statements, PostgresqlStatements)
        self._catalog = catalog
        self._blocks = sorted(blocks, key=lambda block: (order[block.resource.name], _ORDER[block.verb]))
        self._shown = shown
        self._independence = Independence(catalog, self._blocks)
        self._reads = self._independence.reads
        self._wanted: Mapping[str, Wanted] = {}  # the rows to lock
        self._found: dict[str, RowColumns] = {}
        self._made: dict[str, dict[int, Value]] = {}  # resource -> part -> the key generated for it
        self._new_keys: dict[int, Sequence[KeyTuple]] = {}  # the first part of a block -> the keys of its items
        self._refused: set[int] = set()  # parts with a failed precondition or a violated check
        self._refusal: tuple[Block, StatementRefused] | None = None  # the first refused block

    def prepare(self) -> bool:
        """Lock the rows that the blocks address and refer to; return True if bulk execution applies. Nothing is written."""
        if not all(_is_plain(block, self._rows) for block in self._blocks) or self._independence.interferes():
            return False
        self._wanted = wanted_by_blocks(self._catalog, self._blocks)
        if not self._locks:
            self._blocks = [each for block in self._blocks for each in _guarded(block)]
        return self._check()

    def recheck_after_refusal(self) -> bool:
        """Read, after a refusal, what was left to the database to check; return True if bulk execution still applies."""
        unread = [(reads, unique) for reads in self._reads.values() for unique in reads.left_to_database]
        if not (unread or self._independence.left_to_database or any(block.versions for block in self._blocks)):
            return True
        self._blocks = [replace(block, versions=None) for block in self._blocks]
        self._independence.pointed_at += self._independence.left_to_database
        for reads, unique in unread:
            reads.must_read(unique)
        return self._check()

    def _check(self) -> bool:
        self._load()
        self._exclude_existing_keys()
        try:
            self._check_preconditions()
        except NotLoaded:  # a version is unreadable, so the etag is that of all attributes
            return False
        self._check_bounds()
        if self._hand_on_values() or self._hides_targets():
            return False
        for block in self._blocks:
            if block.verb is Verb.CREATE and self._wants_keys(block):
                keys = self._new_keys[block.parts[0]] = self._keys_of(block)
                if not keys:
                    return False
        return not any(self._are_new(name, keys) for name, keys in self._independence.pointed_at)

    def _exclude_existing_keys(self) -> None:
        """Remove the keys of existing, locked rows from the referenced keys that new items may have.

        On SQLite they stay, because SQLite may generate a deleted row's key again.
        """
        if self._locks:
            named = [
                (name, keys.difference(self._found[name].keys if name in self._found else ()))
                for name, keys in self._independence.pointed_at
            ]
            self._independence.pointed_at = [(name, keys) for name, keys in named if keys]

    def _wants_keys(self, block: Block) -> bool:
        """Return True if the keys of new items are needed before they are inserted.

        They are generated in part order, which a single block keeps anyway.
        """
        is_pointed_at = any(name == block.resource.name for name, _ in self._independence.pointed_at)
        makers = [each for each in self._blocks if each.resource is block.resource and each.verb is Verb.CREATE]
        return self._shown is not ResultDetail.NOTHING or is_pointed_at or len(makers) > 1 or not block.columns

    def _are_new(self, name: str, keys: set[KeyTuple]) -> bool:
        """Return True if other parts refer to the keys of new items, so that the order of the parts matters."""
        return any(
            not keys.isdisjoint(self._new_keys[block.parts[0]])
            for block in self._blocks
            if block.verb is Verb.CREATE and block.resource.name == name
        )

    # --- loading

    def _load(self) -> None:
        for block in self._blocks:
            if block.if_match is not None and block.versions is None:
                reads = self._reads[block.resource.name]
                if block.resource.version is None:
                    reads.all_attributes = True
                else:
                    reads.attributes.add(block.resource.version)
        for name, resource in self._catalog.resources.items():
            if name in self._wanted and resource.lockable:
                self._load_resource(resource, self._reads.get(name) or Reads())

    def _load_resource(self, resource: Resource, reads: Reads) -> None:
        attributes = (
            None
            if reads.all_attributes
            else [n for n in resource.attributes if n in reads.attributes or n in resource.key]
        )
        wanted = self._wanted[resource.name]
        if self._locks:
            if keys := wanted.all_keys:
                self._found[resource.name] = lock_columns(self._rows, resource, keys, wanted.strength, attributes)
        elif reads.all_attributes or reads.attributes:
            own = self._keys_to_load(resource, reads)
            self._found[resource.name] = self._rows.load_columns(resource, resource.key, own, attributes)

    def _keys_to_load(self, resource: Resource, reads: Reads) -> Sequence[KeyTuple]:
        """Return the keys of the rows to read: those with a precondition, or all that release unique values."""
        released = {name for unique in reads.unique for name in unique}
        wanted: list[KeyTuple] = []
        for block in self._blocks:
            if block.resource is not resource:
                continue
            if released and (block.verb is Verb.DELETE or not released.isdisjoint(block.columns)):
                wanted += block.keys
            elif block.if_match is not None and block.versions is None:
                wanted += [key for key, etags in zip(block.keys, block.if_match, strict=True) if etags is not None]
        return wanted

    def _hides_targets(self) -> bool:
        """Return True if parts refer to items that the caller may not read."""
        access = self._rows.statements.access
        asked = (
            (resource, by, [*values])
            for name, wanted in self._wanted.items()
            if access.restricts(resource := self._catalog.resources[name])
            for by, values in wanted.pointed_at.items()
        )
        return any(
            len(self._rows.load_columns(resource, by, wanted, by)) < len(wanted) for resource, by, wanted in asked
        )

    def _check_preconditions(self) -> None:
        for block in self._blocks:
            if block.if_match is None or block.versions is not None:
                continue
            found = self._found[block.resource.name]
            own = dict(zip(found.keys, found.etags, strict=True))
            self._refused.update(
                part
                for part, key, etags in zip(block.parts, block.keys, block.if_match, strict=True)
                if etags is not None and not (key in own and rules.is_met(etags, own[key]))
            )

    def _check_bounds(self) -> None:
        """Record the parts that violate checks that can be evaluated without the database, one column at a time."""
        for block in self._blocks:
            for name, every in block.resource.judged.items():
                column = block.columns.get(name, ())
                for bounds in every:
                    if not bounds.takes_all(column):
                        self._refused.update(
                            part for part, value in zip(block.parts, column, strict=True) if not bounds.takes(value)
                        )

    def _hand_on_values(self) -> bool:
        """Return True if a unique value is taken twice, or taken by one part and released by another."""
        return any(
            self._hands_on(self._catalog.resources[name], unique.attributes)
            for name in self._reads
            for unique in self._catalog.resources[name].unique_keys
        )

    def _hands_on(self, resource: Resource, unique: tuple[str, ...]) -> bool:
        takers = [b for b in self._blocks if b.resource is resource and set(unique) <= set(b.columns)]
        if len(takers) == 1 and takers[0].verb is Verb.CREATE and unique not in self._reads[resource.name].unique:
            columns = [takers[0].columns[name] for name in unique]
            own_values = columns[0] if len(columns) == 1 else [*zip(*columns, strict=True)]
            if len(set(own_values)) == len(own_values):
                return False  # the usual case, and the fastest check
        taken: dict[KeyTuple, KeyTuple | None] = {}
        count = 0
        for block in takers:
            values = zip(*(block.columns[name] for name in unique), strict=True)
            own = [
                (each, key) for each, key in zip(values, block.keys or repeat(None), strict=False) if None not in each
            ]
            taken.update(own)
            count += len(own)
        if len(taken) != count:
            return True
        if unique not in self._reads[resource.name].unique:
            return False
        found = self._found[resource.name]
        held = zip(*(found.columns[name] for name in unique), strict=True)
        return any(taken.get(values, key) != key for values, key in zip(held, found.keys, strict=True))

    # --- writing

    def run(self) -> DoneBlocks | None:
        """Write the blocks. Return None if a part fails or a block is refused; the caller must then roll back."""
        if self._refused:
            return None
        done: list[DoneBlock] = []
        try:
            for block in self._blocks:
                left = self._write(block, self._shown)
                done.append(DoneBlock(block=block, status=_STATUS[block.verb], left=left))
        except StatementRefused as refused:
            if refused.transaction_lost:
                raise
            self._refusal = block, without_frames(refused)
            return None
        except Unstorable:
            return None
        return DoneBlocks(done)

    def settle(self) -> None:
        """Query the database about a refusal that may concern all parts. Raises `NotAsAtStart` and `RightMissing`."""
        if self._refusal is not None:
            block, refused = self._refusal
            settle(self._rows, refused, [block.resource], {block.resource.name: _rights(block)})

    def refused(self) -> list[int]:
        """Return the parts that fail, in order. The parts are independent, so each would also fail alone.

        Raises `TooManyRefused`.
        """
        found = set(self._refused)
        trials = sum(len(block.parts) for block in self._blocks) // 2
        for block in self._blocks:
            bisection = Bisection[int](self._rows, partial(self._try, block), trials)
            others = [place for place, part in enumerate(block.parts) if part not in self._refused]
            found.update(block.parts[place] for place in bisection.refused(others))
        return sorted(found)

    def _try(self, block: Block, places: Sequence[int]) -> None:
        self._write(block.only(places), ResultDetail.NOTHING)

    def _write(self, block: Block, shown: ResultDetail) -> RowColumns | None:
        """Write one block; return its rows as it leaves them, as far as the response shows them."""
        resource = block.resource
        names, keys = _addressed(block)
        match block.verb:
            case Verb.CREATE:
                return self._created(block, self._insert(block), shown)
            case Verb.UPDATE if shown is ResultDetail.ROWS:
                left = self._rows.update_columns(resource, block.columns, keys, by=names, counted=resource.version)
                return left.in_order(block.keys)
            case Verb.UPDATE:
                self._rows.update_many(resource, block.columns, keys, by=names, counted=resource.version)
            case _:
                self._rows.delete_many(resource, sorted(keys, key=key_order(resource)), by=names)
        return self._rows.named_columns(resource, block.keys) if shown else None

    def _insert(self, block: Block) -> Sequence[KeyTuple]:
        resource, columns = block.resource, dict(block.columns)
        given = not set(resource.key).isdisjoint(columns)
        keys = self._keys_of(block) if given or self._wants_keys(block) else ()
        if keys and not given:
            columns[resource.key[0]] = [key for (key,) in keys]
        columns |= _first_versions(block)
        self._rows.insert_many(resource, columns if not given else _in_order(resource, columns, keys))
        return keys

    def _keys_of(self, block: Block) -> list[KeyTuple]:
        """Return the keys of new items, or an empty list if they cannot be predicted.

        They are given, or generated in part order for all blocks of a resource at once.
        """
        given = [block.columns[name] for name in block.resource.key if name in block.columns]
        if given:
            return list(zip(*given, strict=True))
        if block.resource.name not in self._made:
            parts = sorted(
                part
                for other in self._blocks
                if other.resource is block.resource and other.verb is Verb.CREATE
                for part in other.parts
            )
            source = KeySource(self._rows, block.resource)
            for other in self._blocks:
                if other.resource is block.resource and other.verb is Verb.DELETE:
                    source.remove(max(other.keys, key=key_order(other.resource))[0])
            made = source.take_many(len(parts))
            self._made[block.resource.name] = dict(zip(parts, made or (), strict=False))
        made_keys = self._made[block.resource.name]
        return [(made_keys[part],) for part in block.parts] if made_keys else []

    def _created(self, block: Block, keys: Sequence[KeyTuple], shown: ResultDetail) -> RowColumns | None:
        resource = block.resource
        if shown is ResultDetail.NOTHING:
            return None
        if shown is ResultDetail.KEYS:
            return self._rows.named_columns(resource, keys)
        if _unknown(block):
            return self._rows.written_columns(resource, keys).in_order(keys)
        return self._rows.made_columns(resource, {**block.columns, **_first_versions(block)}, keys)


def _first_versions(block: Block) -> Columns:
    """Return the version attribute of new items, if their resource has one."""
    version = block.resource.version
    return {} if version is None else {version: [versions.FIRST] * len(block.parts)}


def _rights(block: Block) -> Sequence[Right]:
    """Return the rights needed to write a block."""
    match block.verb:
        case Verb.CREATE:
            return making_rights(block.resource, block.columns)
        case Verb.UPDATE:
            return changing_rights(block.resource, block.columns)
        case _:
            return removing_rights(block.resource)


def _unknown(block: Block) -> bool:
    """Return True if the database generates values of new items other than their keys and versions."""
    made = block.resource.generated_without(block.columns)
    return not made <= {*block.resource.key, block.resource.version}


def _in_order(
    resource: Resource, columns: Mapping[str, Sequence[Value]], keys: Sequence[KeyTuple]
) -> dict[str, Sequence[Value]]:
    """Return the columns in the order of the keys, in which all batches lock rows."""
    sorted_by = key_order(resource)
    order = sorted(range(len(keys)), key=(keys if sorted_by is None else list(map(sorted_by, keys))).__getitem__)
    return {name: [column[place] for place in order] for name, column in columns.items()}


def _is_plain(block: Block, rows: Rows) -> bool:
    """Return True if a block's values are read back as written, and only the database validates or generates values."""
    resource = block.resource
    return (
        not resource.unbatchable_reasons
        and not resource.has_python_rules
        and all(rows.statements.round_trips(resource.attributes[name]) for name in block.columns)
        and (block.verb is not Verb.CREATE or _makes_key(block))
    )


def _makes_key(block: Block) -> bool:
    """Return True if the keys of new items are all given, or all generated (in part order, if they are counted)."""
    resource = block.resource
    given = [name for name in resource.key if name in block.columns]
    return len(given) == len(resource.key) or (not given and len(resource.key) == 1)


def _guarded(block: Block) -> Sequence[Block]:
    """Return the block, split so that the writing statement checks its preconditions if possible.

    That is possible if each precondition requires one version and versions are counted. Parts without a precondition
    then form a separate block.
    """
    version = block.resource.version
    if block.if_match is None or version is None or not isinstance(block.resource.attributes[version].type, Integer):
        return [block]
    held = [place for place, etags in enumerate(block.if_match) if etags is not None]
    guarded = block.only(held)
    etags = [each[0] for each in guarded.if_match or () if each is not None and len(each) == 1]
    versions = counted_versions(etags) if len(etags) == len(held) else None
    if versions is None:
        return [block]
    guarded = replace(guarded, versions=versions)
    free = [place for place, etags in enumerate(block.if_match) if etags is None]
    return [guarded, replace(block.only(free), if_match=None)] if free else [guarded]


def _addressed(block: Block) -> tuple[Sequence[str], Sequence[KeyTuple]]:
    """Return the attributes that identify the rows of a block, and their values."""
    names, keys = block.resource.key, block.keys
    if block.versions is None or block.resource.version is None:
        return names, keys
    return (*names, block.resource.version), [(*key, each) for key, each in zip(keys, block.versions, strict=True)]
