"""Assembles the schema from the catalog."""

import asyncio
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

from resolvers.batch import batch_readers
from resolvers.context import RequestContext
from resolvers.reads import Planned, plan_query
from resolvers.results import QueryAnswer, readers
from resolvers.selections import response_keys, selection_of_operation
from schema.batch import batch_types
from schema.resources import resource_types
from schema.scalars import SCALARS
from storage.catalog.model import Catalog
from storage.database import Database
from storage.reading import Found, run_read
from storage.rows import Rows


def build_schema(catalog: Catalog) -> strawberry.Schema:
    """Make the GraphQL schema of a catalog."""
    resources = resource_types(catalog, readers(catalog, _read_root))
    mutation = batch_types(resources, batch_readers()).mutation if resources.batch_item_input is not None else None
    return _Schema(
        query=resources.query,
        mutation=mutation,
        types=[*resources.items.values()],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


class _Schema(strawberry.Schema):
    """Strawberry's schema, without its logging of query text: it may hold anybody's data."""

    def process_errors(self, errors: list[Any], execution_context: Any = None) -> None:
        """Leave errors to the one place that writes them (results.py)."""


async def _read_root(root: Any, info: Info) -> Found:
    """Read a field of Query: of a batch's own query, or of the request's."""
    key = str(response_keys(info)[-1])
    if isinstance(root, QueryAnswer):
        return root.field(key)
    context: RequestContext = info.context
    if context.query is None:
        context.query = asyncio.ensure_future(_read_query(info))
    answer: QueryAnswer = await context.query
    return answer.field(key)


async def _read_query(info: Info) -> QueryAnswer:
    """Read all root fields of a query in one snapshot."""
    context: RequestContext = info.context
    planned = plan_query(selection_of_operation(info), context.engine.catalog)
    if not planned.reads:
        return QueryAnswer(found={}, errors=planned.errors)
    found = await context.in_thread(lambda: _read(context, planned))
    return QueryAnswer(found=found, errors=planned.errors)


def _read(context: RequestContext, planned: Planned) -> dict[str, Found]:
    engine = context.engine
    database: Database = engine.database
    with database.read() as transaction:
        return run_read(Rows(transaction, database, engine.secret), engine.catalog, planned.reads)
