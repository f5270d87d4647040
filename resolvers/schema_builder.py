"""Assembles the schema from the catalog."""

import asyncio
import re
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

import strawberry
from graphql import (
    GraphQLError,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    Visitor,
    get_operation_ast,
    visit,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import Info
from strawberry.types.execution import PreExecutionError

from resolvers.compiled.cache import Documents
from resolvers.compiled.compiler import Compiler
from resolvers.documents.document_limits import (
    RULES,
    excess_of_shape,
    excess_of_text,
    excess_of_validation,
    has_introspection,
    introspects,
    is_introspection,
    parse_options,
)
from resolvers.documents.limits import Limits
from resolvers.documents.selections import response_keys, selection_of_operation
from resolvers.documents.variables import refuse_variables
from resolvers.execution.batch_mutation import batch_readers
from resolvers.execution.context import Elsewhere, RequestContext, Why
from resolvers.execution.cost import Cost, cost_of, excess_of_cost
from resolvers.execution.queries import plan_query
from resolvers.results.pieces import LARGE
from resolvers.results.views import QueryAnswer, read_each, readers
from schema.batch import mutation_type
from schema.resources import resource_types
from schema.scalars import SCALARS
from storage.catalog.model import Catalog
from storage.connections.driver_errors import StatementRefused
from storage.connections.transaction import Transaction
from storage.errors import QueryTooComplex
from storage.reading import Found, ReadPlan, run_read
from storage.rows.reader import RowReader
from storage.sql import Unstorable

_SAVEPOINT = "field"
_LONG_NUMBER = re.compile(r"\d{4301}")  # digits; https://docs.python.org/3/library/stdtypes.html#int-max-str-digits


class _CountingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes in a thread, and ends what has too many fields: what introspection answers has no other limit."""

    def execute_fields(self, *arguments: Any) -> Any:
        """Execute the fields of one object. Raises `QueryTooComplex`."""
        request: RequestContext = self.context_value
        request.fields += len(arguments[3])
        if request.fields > MOST_FIELDS:
            raise QueryTooComplex(
                f"The answer to this introspection has more than {MOST_FIELDS:,} fields. Request less of the schema at a time."
            )
        return super().execute_fields(*arguments)


class _Schema(strawberry.Schema):
    """Strawberry's schema, with the documents that it has seen, and without its logging of query text: that may hold anybody's data."""

    documents: Documents

    def in_thread(self) -> strawberry.Schema:
        """Return the same schema for execution in a thread."""
        own = copy(self)
        own.execution_context_class = _CountingExecutor
        return own

    def process_errors(self, errors: list[Any], execution_context: Any = None) -> None:
        """Leave errors to the one place that writes them (results/views.py)."""


def build_schema(catalog: Catalog, *, containment: bool = False, reads_in_batches: bool = False) -> strawberry.Schema:
    """Make the GraphQL schema of a catalog; `containment` says whether its database compares JSON and looks into it.

    Where nothing can be written there is no mutation, unless batches are to read (`reads_in_batches`).
    """
    resources = resource_types(catalog, readers(catalog, _read_root), containment=containment)
    has_mutation = reads_in_batches or resources.batch_item_input is not None
    mutation = mutation_type(resources, batch_readers()) if has_mutation else None
    schema = _Schema(
        query=resources.query,
        mutation=mutation,
        types=[*resources.items.values()],
        extensions=[_Known],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    schema.documents = Documents(Compiler(schema._schema, catalog))  # noqa: SLF001  # Strawberry offers no other way to graphql-core's own
    return schema


def schema_in_thread(schema: object) -> strawberry.Schema:
    """Return the same schema for execution in a thread, by an event loop of its own."""
    assert isinstance(schema, _Schema)  # noqa: S101  # `build_schema` has made it
    return schema.in_thread()


def documents_of(schema: object) -> Documents:
    """Find the documents that a schema has seen."""
    assert isinstance(schema, _Schema)  # noqa: S101  # `build_schema` has made it
    return schema.documents


MOST_FIELDS = (
    2_000_000  # of an answer with introspection: some 30 MB; of 500 tables with all there is to ask for, about half
)


class AmbiguousDocument(GraphQLError):
    """A document of several operations, and none of them is named: nothing can be run, whatever the client accepts."""


class _Known(SchemaExtension):
    """Parses and validates no document twice, and refuses those that say not what to run, cost too much, or cannot be read."""

    def on_parse(self) -> Iterator[None]:
        """Take the document as it was parsed before."""
        context = self.execution_context
        text = context.query or ""
        context.graphql_document = context.context.document or self._documents.find(text)
        self._is_known = context.graphql_document is not None
        if not self._is_known:
            _refuse(excess_of_text(text, self._limits))
            context.parse_options.update(parse_options(text))
        yield

    def on_validate(self) -> Iterator[None]:
        """Look at the document once it is parsed; keep it if it turns out to be valid."""
        context, request = self.execution_context, self.execution_context.context
        if request.document is not None:  # it was looked at before
            context.pre_execution_errors = []
            yield
            return
        text, document = context.query or "", context.graphql_document
        assert document is not None  # noqa: S101  # it is parsed
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        if len(operations) > 1 and not context.context.operation_name:
            raise AmbiguousDocument("Name one of the document's operations in operationName.")
        if self._is_known:
            context.pre_execution_errors = []  # Strawberry does not validate what has a result
        else:
            _refuse(excess_of_shape(document, self._limits))
            if _LONG_NUMBER.search(text):
                visit(document, _NoLongNumbers())
            context.validation_rules = RULES
        yield
        if context.pre_execution_errors:
            _refuse(excess_of_validation(context.pre_execution_errors))
            return
        self._documents.keep(text, document)
        cost = self._documents.cost(text, context.operation_name, self._limits, self._count)
        _refuse(excess_of_cost(cost, self._limits))
        request.cost, request.valid = cost, document
        operation = get_operation_ast(document, context.operation_name)
        if operation is not None and introspects(text):
            is_pure = is_introspection(document, operation)
            if is_pure or has_introspection(document, operation):
                if operation.operation is OperationType.MUTATION:  # after COMMIT it could not be too late any more
                    raise QueryTooComplex(
                        "Request __schema and __type in a query of their own, not in a batch's query."
                    )
                raise Elsewhere(Why.INTROSPECTION if is_pure else Why.MIXED)

    def on_execute(self) -> Iterator[None]:
        """Reject variables that do not fit, before graphql-core coerces them."""
        context = self.execution_context
        schema = context.schema._schema  # noqa: SLF001  # as above
        errors = refuse_variables(schema, self._operation.variable_definitions or (), context.variables or {})
        if errors:
            context.result = PreExecutionError(data=None, errors=errors)  # Strawberry does not run what has a result
        yield

    def _count(self) -> Cost:
        context = self.execution_context
        document = context.graphql_document
        assert document is not None  # noqa: S101  # it is valid
        return cost_of(context.schema._schema, document, self._operation, context.variables or {}, self._limits)  # noqa: SLF001  # as above

    @property
    def _operation(self) -> OperationDefinitionNode:
        context = self.execution_context
        assert context.graphql_document is not None  # noqa: S101  # it is valid
        operation = get_operation_ast(context.graphql_document, context.operation_name)
        assert operation is not None  # noqa: S101  # Strawberry has found it, too
        return operation

    @property
    def _documents(self) -> Documents:
        return documents_of(self.execution_context.schema)

    @property
    def _limits(self) -> Limits:
        limits: Limits = self.execution_context.context.limits
        return limits


def _refuse(excess: QueryTooComplex | None) -> None:
    if excess is not None:
        raise excess


class _NoLongNumbers(Visitor):
    """Refuses numbers with more digits than Python turns into an integer."""

    def enter_int_value(self, node: IntValueNode, *_: object) -> None:
        """Look at one number."""
        if _LONG_NUMBER.search(node.value):
            raise GraphQLError("This number is too long.", node)


async def _read_root(root: Any, info: Info) -> Found:
    """Read a field of Query: of a batch's own query, or of the request's."""
    key = str(response_keys(info)[-1])
    if isinstance(root, QueryAnswer):
        return root.field(key)
    context: RequestContext = info.context
    if context.answered is not None:
        return context.answered.field(key)
    if context.query is None:
        context.query = asyncio.ensure_future(_read_query(info))
    answer: QueryAnswer = await context.query
    if answer.size > LARGE and context.document is None:
        context.answered = answer
        raise Elsewhere(Why.LARGE)
    return answer.field(key)


async def _read_query(info: Info) -> QueryAnswer:
    """Read all root fields of a query in one snapshot."""
    context: RequestContext = info.context
    planned = plan_query(selection_of_operation(info), context.scope)
    if not planned.reads:
        return QueryAnswer(found={}, errors=planned.errors)
    answer = await _read(context, planned.reads)
    return replace(answer, errors={**answer.errors, **planned.errors})


async def _read(context: RequestContext, plan: ReadPlan) -> QueryAnswer:
    """Read in one snapshot. What the database refuses is an error of its own field."""

    def rows(transaction: Transaction) -> RowReader:
        return RowReader(transaction, context.engine.database, context.engine.secret)

    def run(transaction: Transaction) -> QueryAnswer:
        found = run_read(rows(transaction), plan)
        return QueryAnswer(found=found, size=transaction.allowance.shown, left=transaction.allowance.left)

    try:
        return await context.read(run)
    except (StatementRefused, Unstorable):
        return await context.read(lambda transaction: _read_each(rows(transaction), plan))


def _read_each(rows: RowReader, plan: ReadPlan) -> QueryAnswer:
    rows.transaction.savepoint(_SAVEPOINT)
    answer = read_each(rows, plan, _SAVEPOINT)
    return replace(answer, size=rows.transaction.allowance.shown, left=rows.transaction.allowance.left)
