"""The batch mutation: bind, plan, run, answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strawberry.types import Info

from resolvers.context import RequestContext
from resolvers.limits import Scope
from resolvers.parts import bind
from resolvers.reads import Planned, plan_items, plan_query
from resolvers.requests import PartRequest, to_request
from resolvers.results import BatchView, PartView, QueryAnswer, rows_of, to_status
from resolvers.selections import Selection, response_keys, selection_of_field, selection_of_operation
from schema.batch import BatchReaders
from storage.batch.blocks import Batch
from storage.batch.operations import Outcome
from storage.batch.run import Job, run_batch
from storage.catalog.model import Catalog, Resource
from storage.errors import NoParts, TooManyParts
from storage.reading import Found, Item, ItemPage, ItemPlan, relate, run_read
from storage.rows import KeyTuple, Row, Rows

Place = tuple[str, str]  # the keys of `parts` and of `item` in the answer


async def batch(info: Info, parts: list[Any], dry_run: bool) -> BatchView:  # noqa: FBT001  # as the schema calls it
    """Run every part, in order, in one transaction: all of them, or none."""
    context: RequestContext = info.context
    _check_number(info, len(parts), context.limits.parts)
    requests = [to_request(index, part) for index, part in enumerate(parts)]
    bound = bind(requests, context.scope)
    plan = plan_answer(selection_of_field(info, "BatchResult"), context.scope)
    job = Job(
        batch=Batch(size=len(bound), parts=lambda: bound),
        read=lambda rows, outcome: read_answer(rows, context.engine.catalog, outcome, plan),
        dry_run=dry_run,
    )
    outcome, found = await context.in_thread(lambda: run_batch(context.engine, job))
    return _to_result(requests, outcome, found)


def _check_number(info: Info, count: int, limit: int) -> None:
    """Count the parts; those of several batches in one mutation count together, before the first of them runs."""
    if count == 0:
        raise NoParts("A batch needs at least one part.")
    selection = selection_of_operation(info)
    if len(selection.fields) > 1:
        count = sum(len(selection.arguments(key)["parts"]) for key, name in selection if name == "batch")
    if count > limit:
        raise TooManyParts(f"A mutation takes at most {limit} parts, and this one has {count}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan:
    """What the answer needs beside the outcomes: relations of items, and queries, each by its place."""

    items: Mapping[Place, Mapping[str, ItemPlan]]  # by resource name
    queries: Mapping[str, Planned]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFound:
    """What was read for an answer."""

    items: Mapping[Place, Mapping[int, Item | list[Item]]]  # by part
    queries: Mapping[str, Mapping[str, Found]]


def plan_answer(result: Selection, scope: Scope) -> AnswerPlan:
    """Plan what a batch's answer reads. Raises `GraphQLError` for arguments that are wrong, before anything runs."""
    items: dict[Place, dict[str, ItemPlan]] = {}
    queries: dict[str, Planned] = {}
    for key, name in result:
        if name == "query":
            queries[key] = plan_query(result.below(key, "Query"), scope)
            for error in queries[key].errors.values():
                raise error
        elif name == "parts":
            part = result.below(key, "PartResult")
            for item_key, item_name in part:
                if item_name in {"item", "items"}:
                    items[key, item_key] = {
                        resource.name: _plan_part_items(part, item_key, resource, scope, in_list=item_name == "items")
                        for resource in scope.catalog.resources.values()
                        if resource.key
                    }
    return AnswerPlan(items=items, queries=queries)


def _plan_part_items(part: Selection, key: str, resource: Resource, scope: Scope, *, in_list: bool) -> ItemPlan:
    plan = plan_items(part.below(key, resource.name), resource, scope)
    if not in_list:
        return plan
    return ItemPlan(resource=resource, relations={f"{key}/{inner}": each for inner, each in plan.relations.items()})


def read_answer(rows: Rows, catalog: Catalog, outcome: Outcome, plan: AnswerPlan) -> AnswerFound:
    """Read relations and queries as the batch left them."""
    own = rows_of(outcome)
    return AnswerFound(
        items={place: _read_items(rows, catalog, own, plans) for place, plans in plan.items.items()},
        queries={key: run_read(rows, catalog, planned.reads) for key, planned in plan.queries.items()},
    )


def _read_items(
    rows: Rows, catalog: Catalog, own: Mapping[int, Row | list[Row]], plans: Mapping[str, ItemPlan]
) -> dict[int, Item | list[Item]]:
    every = [row for found in own.values() for row in (found if isinstance(found, list) else [found])]
    related: dict[tuple[str, KeyTuple], dict[str, Item | ItemPage | None]] = {}
    for name, plan in plans.items():
        keys = {row.key for row in every if row.resource.name == name}
        if not keys or not plan.relations:
            continue
        last = [Item(row=row) for row in rows.among(plan.resource, plan.resource.key, keys)]
        relate(rows, catalog, last, plan)
        related |= {(name, item.row.key): item.related for item in last}

    def to_item(row: Row) -> Item:
        relations = plans[row.resource.name].relations if row.resource.name in plans else {}
        gone: dict[str, Item | ItemPage | None] = {
            key: ItemPage(items=[], total=0) if each.relation.many else None for key, each in relations.items()
        }
        return Item(row=row, related=related.get((row.resource.name, row.key), gone) if relations else {})

    return {
        part: [to_item(row) for row in found] if isinstance(found, list) else to_item(found)
        for part, found in own.items()
    }


def _to_result(requests: Sequence[PartRequest], outcome: Outcome, found: AnswerFound) -> BatchView:
    return BatchView(
        status=to_status(outcome.status),
        parts=[
            PartView(
                request=requests[part.index],
                outcome=part,
                found={place: items.get(part.index) for place, items in found.items.items()},
            )
            for part in outcome.parts
        ],
        queries={key: QueryAnswer(found=reads) for key, reads in found.queries.items()},
    )


def batch_readers() -> BatchReaders:
    """Say how the mutation runs, and how its results are read."""
    return BatchReaders(batch=batch, item=_item, items=_items, query=_query)


def _item(view: PartView, info: Info) -> Item | None:
    found = _found(view, info)
    return found if isinstance(found, Item) else None


def _items(view: PartView, info: Info) -> list[Item | None] | None:
    found = _found(view, info)
    if not isinstance(found, list):
        return None
    return [item if item.row.resource.key else None for item in found]


def _found(view: PartView, info: Info) -> Item | list[Item] | None:
    *_, parts, _index, item = response_keys(info)
    return view.found[str(parts), str(item)]


def _query(view: BatchView, info: Info) -> QueryAnswer:
    return view.queries[str(response_keys(info)[-1])]


__all__ = ["batch", "batch_readers"]
