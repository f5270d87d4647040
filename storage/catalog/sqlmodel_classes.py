"""Conversion of SQLModel classes to plain values (`models.py`).

Imported only for models, because SQLModel takes half a second.
"""

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty
from sqlmodel import SQLModel

from storage.catalog.models import Model, ModelRelation
from storage.catalog.naming import camel


def models_of(module: ModuleType) -> tuple[type[SQLModel], ...]:
    """Return the table classes in a module's namespace, in the order of their definition."""
    found = (
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, SQLModel) and "__table__" in vars(each)
    )
    return tuple(dict.fromkeys(found))


def read_models(classes: Iterable[type[SQLModel]]) -> tuple[Model, ...]:
    """Convert table classes to plain values."""
    return tuple(_read(each) for each in classes)


def _read(class_: type[SQLModel]) -> Model:
    mapper: Mapper[Any] = sa.inspect(class_)
    table = mapper.local_table
    assert isinstance(table, sa.Table)  # noqa: S101  # a SQLModel table class maps a table, never a join
    fields = {column.name: key for key, column in mapper.columns.items()}
    relations, links = [], []
    for relationship in mapper.relationships:
        if relationship.direction is RelationshipDirection.MANYTOMANY:
            links.append(relationship.key)
        elif not relationship.viewonly:
            relations.append(_relation(relationship))
    version = _version_column(mapper, table)
    generator = mapper.version_id_generator
    return Model(
        name=class_.__name__,
        table=table.name,
        columns={column.name: column for column in table.columns},
        fields=fields,
        descriptions={
            column: info.description
            for column, name in fields.items()
            if (info := class_.model_fields.get(name)) is not None and info.description
        },
        description=_own_doc(class_),
        relations=tuple(relations),
        many_to_many=tuple(links),
        version_column=None if version is None else version.name,
        next_version=generator if version is not None and callable(generator) else None,
        class_=class_,
    )


def _version_column(mapper: Mapper[Any], table: sa.Table) -> sa.Column[Any] | None:
    """Return the version column; `version_id_col` may also be its name."""
    given: object = mapper.version_id_col
    return table.columns[given] if isinstance(given, str) else given  # type: ignore[return-value]  # otherwise a column of the table


def _own_doc(class_: type[SQLModel]) -> str | None:
    doc = vars(class_).get("__doc__")
    return doc.strip() if isinstance(doc, str) and doc.strip() else None


def _relation(relationship: RelationshipProperty[Any]) -> ModelRelation:
    many = relationship.direction is RelationshipDirection.ONETOMANY
    pairs = [(remote, local) if many else (local, remote) for local, remote in relationship.local_remote_pairs or ()]
    target = relationship.mapper.local_table
    return ModelRelation(
        name=camel(relationship.key),
        many=many,
        target_table=str(target.description),
        columns=tuple(column.name for column, _ in pairs),
        target_columns=tuple(column.name for _, column in pairs),
    )
