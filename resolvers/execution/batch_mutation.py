"""Execution of the batch mutation: binding, planning, running, and reading its result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from strawberry.types import Info

from resolvers.binding.blocks import bind_blocks
from resolvers.binding.parts import bind, bind_some
from resolvers.binding.requests import PartRequest, to_request
from resolvers.documents.limits import Scope
from resolvers.documents.selections import Selection, response_keys, selection_of_field, selection_of_operation
from resolvers.execution.context import Elsewhere, RequestContext, Why
from resolvers.execution.idempotency import HEADER, receipt_of
from resolvers.execution.queries import Planned, most_aliases, plan_items, plan_query
from resolvers.results.views import BatchView, PartView, Place, QueryAnswer, read_each, rows_of
from schema.batch import BatchReaders
from storage.batch.execution.run import Job
from storage.batch.plan.blocks import Batch, ResultDetail
from storage.batch.plan.operations import Outcome, Part, Verb
from storage.catalog.model import Catalog
from storage.catalog.types import Unreadable
from storage.errors import BadRequest, NoParts, TooManyParts
from storage.reading import (
    MORE_OF_ITEM,
    Item,
    ItemPage,
    ItemPlan,
    Items,
    count_items,
    count_repeated,
    relate,
    run_read,
    to_items,
)
from storage.rows.row import Ambiguous, KeyTuple, Row
from storage.rows.writer import Rows


async def batch(
    info: Info,
    parts: list[PartRequest],
    dry_run: bool,  # noqa: FBT001  # as the schema calls it
    idempotency_key: str | None,
) -> BatchView:
    """Resolve the field `batch`; run the batch unless it has run already (resolvers/compiled/compiler.py)."""
    context: RequestContext = info.context
    key = str(response_keys(info)[-1])
    try:
        view = context.views.get(key) or context.finished or await _run(info, context, parts, dry_run, idempotency_key)
    except Exception as error:  # it is raised again if the request is completed in a thread
        if context.document is None:
            context.failures[key] = error
        raise
    if view.is_large and context.document is None:
        context.views[key] = view
        raise Elsewhere(Why.LARGE)
    context.views[key] = view
    return view


async def _run(
    info: Info,
    context: RequestContext,
    parts: list[PartRequest],
    dry_run: bool,  # noqa: FBT001  # as above
    idempotency_key: str | None,
) -> BatchView:
    key = str(response_keys(info)[-1])
    if key in context.failures:
        raise context.failures[key]
    selection = selection_of_operation(info)
    batches = [key for key, name in selection if name == "batch"]
    sent = _sent(selection, batches, parts)
    check_parts(sent, context)
    if context.key_headers and len(batches) > 1:
        raise BadRequest(
            f"The header {HEADER} is for one batch, and this mutation has {len(batches)}: give each its own idempotencyKey."
        )
    plan = partial(plan_answer, selection_of_field(info, "BatchResult"), context.scope)
    return await answer(parts, plan, context, dry_run=dry_run, idempotency_key=idempotency_key)


async def answer(
    parts: Sequence[PartRequest],
    plan: "Callable[[], AnswerPlan]",
    context: RequestContext,
    *,
    dry_run: bool,
    idempotency_key: str | None = None,
) -> BatchView:
    """Run every part, in order, in one transaction, and return the result. Either all parts are committed, or none."""
    receipt = receipt_of(parts, idempotency_key, context, dry_run=dry_run)
    blocks = bind_blocks(parts, context.scope)
    bound = _BoundOnce(parts, context.scope)
    if not blocks:
        bound()  # report invalid parts before anything runs
    planned = plan()
    job = Job(
        batch=Batch(
            size=len(parts),
            bind_all=bound,
            blocks=blocks,
            bind_only=lambda indexes: bind_some(indexes, parts, context.scope),
            shown=planned.shown if receipt is None else ResultDetail.ROWS,  # a replay may select any of them
            times=planned.times,
            more_of_row=MORE_OF_ITEM if planned.has_lists else 0,
        ),
        read=lambda rows, outcome, savepoint: read_answer(rows, outcome, planned, savepoint),
        dry_run=dry_run,
        receipt=receipt,
        deadline=context.deadline,
        reads_only=receipt is None and all(each.verb is Verb.GET for each in parts),
    )
    outcome, found = await context.write(job)
    return BatchView(requests=parts, outcome=outcome, items=found.items, queries=found.queries, size=found.size)


class _BoundOnce:
    """The parts of a batch, bound one by one on the first call. Batches that run in bulk never call it."""

    __slots__ = ("_bound", "_parts", "_scope")

    def __init__(self, parts: Sequence[PartRequest], scope: Scope) -> None:
        self._parts, self._scope = parts, scope
        self._bound: Sequence[Part] | None = None

    def __call__(self) -> Sequence[Part]:
        if self._bound is None:
            self._bound = bind(self._parts, self._scope)
        return self._bound


def check_parts(sent: Mapping[str, Sequence[PartRequest]], context: RequestContext) -> None:
    """Raise `NoParts`, `TooManyParts` or `QueryTooComplex` if the parts of a mutation are outside the limits.

    The parts of all its batches, given by response key, count together, before the first batch runs.
    """
    count = sum(map(len, sent.values()))
    if count == 0:
        raise NoParts("A batch needs at least one part.")
    if count > context.limits.parts:
        raise TooManyParts(f"A mutation takes at most {context.limits.parts} parts, and this one has {count}.")
    assert context.cost is not None  # noqa: S101  # it is counted before anything runs
    excess = context.cost.excess(sent, context.limits)
    if excess is not None:
        raise excess


def _sent(
    selection: Selection, batches: Sequence[str], parts: Sequence[PartRequest]
) -> Mapping[str, Sequence[PartRequest]]:
    """Return the parts of all batches of a mutation, by response key."""
    if not parts or len(batches) == 1:
        return {batches[0]: parts}
    return {key: [to_request(each) for each in selection.arguments(key)["parts"]] for key in batches}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan:
    """The reads that a response needs in addition to the outcomes: relations of items, and queries, by their place."""

    items: Mapping[Place, Mapping[str, ItemPlan]] = field(default_factory=dict)  # by resource name
    queries: Mapping[str, Planned] = field(default_factory=dict)
    shown: ResultDetail  # of the rows that the parts leave
    times: int = 1  # how often the response contains the values of a row at most
    has_lists: bool = False  # True if the items of collections are selected: graphql-core may have to complete them


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFound:
    """The items and queries that were read for a response."""

    items: Mapping[Place, Mapping[int, Item | list[Item]]]  # by part
    queries: Mapping[str, QueryAnswer]
    size: int  # bytes that were read


def plan_answer(result: Selection, scope: Scope) -> AnswerPlan:
    """Plan the reads for the response of a batch. Raises `GraphQLError` for invalid arguments, before anything runs."""
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
                    plans = _plan_part_items(part, item_key, scope, in_list=item_name == "items")
                    if any(plan.relations for plan in plans.values()):
                        items[key, item_key] = plans
    return AnswerPlan(
        items=items,
        queries=queries,
        shown=shown_of(result),
        times=times_of(result, scope.catalog),
        has_lists=has_lists(result),
    )


_SHOWN = {
    "path": ResultDetail.KEYS,
    "etag": ResultDetail.ROWS,
    "payload": ResultDetail.ROWS,
    "item": ResultDetail.ROWS,
    "items": ResultDetail.ROWS,
}


def shown_of(result: Selection) -> ResultDetail:
    """Return the detail in which a response shows the rows that the parts leave."""
    parts = [result.below(key, "PartResult") for key, name in result if name == "parts"]
    return max(
        (_SHOWN.get(name, ResultDetail.NOTHING) for part in parts for _, name in part), default=ResultDetail.NOTHING
    )


def has_lists(result: Selection) -> bool:
    """Return True if a response contains the items of collections in a form other than payload."""
    parts = [result.below(key, "PartResult") for key, name in result if name == "parts"]
    return any(name == "items" for part in parts for _, name in part)


def times_of(result: Selection, catalog: Catalog) -> int:
    """Return how often a response contains the values of a row at most.

    `payload`, `item` and `items` count, and the aliases in the latter two.
    """
    parts = [result.below(key, "PartResult") for key, name in result if name == "parts"]
    payloads = sum(name == "payload" for part in parts for _, name in part)
    items = sum(
        max((most_aliases(part.below(key, each.name)) for each in catalog.resources.values() if each.key), default=0)
        for part in parts
        for key, name in part
        if name in {"item", "items"}
    )
    return max(1, payloads + items)


def _plan_part_items(part: Selection, key: str, scope: Scope, *, in_list: bool) -> dict[str, ItemPlan]:
    plans = {}
    for resource in scope.catalog.resources.values():
        if resource.key:
            plan = plan_items(part.below(key, resource.name), resource, scope)
            relations = {f"{key}/{inner}" if in_list else inner: each for inner, each in plan.relations.items()}
            plans[resource.name] = ItemPlan(resource=resource, attributes=frozenset(), relations=relations)
    return plans


def read_answer(rows: Rows, outcome: Outcome, plan: AnswerPlan, savepoint: str | None) -> AnswerFound:
    """Read relations and queries in the state that the batch left.

    With a savepoint, each field of a query is read separately, so that it can fail separately.
    """
    own = rows_of(outcome) if plan.items else {}
    items = {place: _read_items(rows, own, plans) for place, plans in plan.items.items()}
    queries = {
        key: QueryAnswer(found=run_read(rows, planned.reads))
        if savepoint is None
        else read_each(rows, planned.reads, savepoint)
        for key, planned in plan.queries.items()
    }
    found = (each for answer in queries.values() for each in answer.found.values() if not isinstance(each, Ambiguous))
    rows.transaction.allowance.count_shown(MORE_OF_ITEM * sum(map(count_items, found)))
    return AnswerFound(
        items=items,
        queries=queries,
        size=rows.transaction.allowance.shown + rows.transaction.allowance.own,
    )


def _read_items(
    rows: Rows, own: Mapping[int, Row | list[Row]], plans: Mapping[str, ItemPlan]
) -> dict[int, Item | list[Item]]:
    every = [row for found in own.values() for row in (found if isinstance(found, list) else [found])]
    related: dict[tuple[str, KeyTuple], dict[str, Item | ItemPage | None]] = {}
    for name, plan in plans.items():
        keys = {row.key for row in every if row.resource.name == name and Unreadable not in map(type, row.key)}
        if not keys or not plan.relations:
            continue
        loaded = rows.load_columns(plan.resource, plan.resource.key, list(keys), plan.names())
        items = relate(rows, Items(loaded), plan)
        count_repeated(items, rows.transaction.allowance.count_shown)
        rows.transaction.allowance.count_shown(MORE_OF_ITEM * count_items(items))
        related |= {(name, item.row.key): item.related for item in to_items(items)}

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


def batch_readers() -> BatchReaders:
    """Return the functions that run the mutation and read its results."""
    return BatchReaders(part=to_request, batch=batch, item=_item, items=_items, query=_query)


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
    return view.items((str(parts), str(item)))


def _query(view: BatchView, info: Info) -> QueryAnswer:
    return view.queries[str(response_keys(info)[-1])]


__all__ = ["batch", "batch_readers"]
