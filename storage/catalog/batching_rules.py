"""The rules for batching: the resources whose parts can run in groups, and the reasons of others (docs/engine.md).

Parts are grouped if the effect of one on another can be derived from their keys. If the database does something that
only it can know (triggers, actions of foreign keys, comparisons other than Python's), they are not grouped: wrong is
worse than slow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.catalog.model import Attribute, Generation
from storage.catalog.reflected import ForeignKeyFacts, TableFacts
from storage.catalog.resource_draft import Draft
from storage.catalog.types import Anything, Boolean, Bytes, Date, Enumeration, Integer, Text, Uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """The batching rules of one resource."""

    unbatchable_reasons: tuple[str, ...]  # why parts run one by one; empty: they can be grouped
    delete_cascades: bool
    cascading_attributes: frozenset[str]


def grouping_of(draft: Draft, by_table: Mapping[str, Draft], tables: Sequence[TableFacts]) -> Grouping:
    """Return the batching rules of a resource. `tables` are all tables of the database, served or not."""
    pointing = [(facts, key) for facts in tables for key in facts.foreign_keys if key.target_table == draft.facts.name]
    return Grouping(
        unbatchable_reasons=tuple(_reasons(draft, by_table, pointing)),
        delete_cascades=any(key.on_delete for _, key in pointing),
        cascading_attributes=frozenset(
            draft.names[column]
            for _, key in pointing
            if key.on_update
            for column in key.target_columns
            if column in draft.names
        ),
    )


def _reasons(
    draft: Draft, by_table: Mapping[str, Draft], pointing: Sequence[tuple[TableFacts, ForeignKeyFacts]]
) -> list[str]:
    facts = draft.facts
    targets = [by_table[key.target_table].facts for key in facts.foreign_keys if key.target_table in by_table]
    late = [key for owner, key in pointing if key.columns in owner.deferred_foreign]
    checks = {
        "it has triggers or rules": facts.has_triggers,
        "one of its keys, or a foreign key that refers to it, is checked only at COMMIT": bool(
            facts.deferred_unique or facts.deferred_foreign or late
        ),
        "one of its unique indexes is partial or uses expressions": facts.odd_unique,
        "a table that inherits from it, or a partition of it, has unique keys of its own": (
            facts.family.is_inherited or facts.family.has_own_unique
        ),
        "some of its rows are those of another resource, too (a partition, or a table that inherits)": _shares_rows(
            draft, by_table
        ),
        "its rows cannot be locked before they are deleted, because the role has no UPDATE privilege": (
            facts.rights.can_delete and not facts.rights.can_update
        ),
        "only the database can generate its key, because the role has no INSERT privilege on it": bool(
            facts.rights.can_insert and facts.rights.not_inserted.intersection(facts.primary_key)
        ),
        "a key of it compares text by a collation": facts.is_collated or any(each.is_collated for each in targets),
        "a key of it has a type whose equality is the database's own": not _are_plain(draft),
        "a key of it has a column that is hidden or generated": _is_partly_hidden(draft, by_table),
    }
    return [reason for reason, holds in checks.items() if holds]


def _shares_rows(draft: Draft, by_table: Mapping[str, Draft]) -> bool:
    """Return True if a parent or a child of the table is also served."""
    own = draft.facts.name
    return any(name in by_table for name in draft.facts.family.above) or any(
        own in each.facts.family.above for each in by_table.values()
    )


def _are_plain(draft: Draft) -> bool:
    """Return True if Python compares the values of all keys as the database does."""
    names = {column for key in (draft.facts.primary_key, *draft.facts.unique) for column in key}
    names |= {column for key in draft.facts.foreign_keys for column in key.columns}
    return all(_is_plain(draft.attributes[draft.names[column]]) for column in names if column in draft.names)


def _is_plain(attribute: Attribute) -> bool:
    match attribute.type:
        case Integer() | Boolean() | Bytes() | Date() | Enumeration() | Uuid():
            return True
        case Text(padded=padded):
            return not padded
        case Anything(converts=converts):  # 1 equals 1.0 in both
            return not converts
        case _:
            return False


def _is_partly_hidden(draft: Draft, by_table: Mapping[str, Draft]) -> bool:
    facts = draft.facts
    foreign = [key for key in facts.foreign_keys if key.target_table in by_table]
    own = [*facts.unique, *(key.columns for key in foreign)]
    there = [(by_table[key.target_table], key.target_columns) for key in foreign]
    made = {column for column, name in draft.names.items() if draft.attributes[name].generation is Generation.ALWAYS}
    return (
        any(draft.attributes_of(columns) is None or made & set(columns) for columns in own)
        or any(target.attributes_of(columns) is None for target, columns in there)
        or any(
            draft.attributes_of(key.target_columns) is None
            for each in by_table.values()
            for key in each.facts.foreign_keys
            if key.target_table == facts.name
        )
    )
