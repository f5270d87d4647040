"""Assembly of the GraphQL schema from the catalog."""

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
    """Executor for threads that rejects responses with too many fields, the only limit on introspection responses."""

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
    """Strawberry's schema with a cache of documents.

    It does not log query text as Strawberry does, because query text can contain personal data.
    """

    documents: Documents

    def in_thread(self) -> strawberry.Schema:
        """Return a copy of this schema for execution in a thread."""
        own = copy(self)
        own.execution_context_class = _CountingExecutor
        return own

    def process_errors(self, errors: list[Any], execution_context: Any = None) -> None:
        """Do nothing: errors are written in one place, results/views.py."""


def build_schema(catalog: Catalog, *, containment: bool = False, reads_in_batches: bool = False) -> strawberry.Schema:
    """Build the GraphQL schema of a catalog.

    `containment` is True if the database can compare JSON documents and search inside them. If no resource is writable,
    the schema does not have a mutation, unless batches are used for reading (`reads_in_batches`).
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
    schema.documents = Documents(Compiler(schema._schema, catalog))  # noqa: SLF001  # Strawberry has no public access to graphql-core's schema
    return schema


def schema_in_thread(schema: object) -> strawberry.Schema:
    """Return a copy of the schema for execution in a thread that has its own event loop."""
    assert isinstance(schema, _Schema)  # noqa: S101  # built by `build_schema`
    return schema.in_thread()


def documents_of(schema: object) -> Documents:
    """Return the document cache of a schema."""
    assert isinstance(schema, _Schema)  # noqa: S101  # built by `build_schema`
    return schema.documents


MOST_FIELDS = 2_000_000  # of a response with introspection, about 30 MB; all of 500 tables has about half of it


class AmbiguousDocument(GraphQLError):
    """A request whose document has several operations but that names none of them, so nothing can be executed."""


class _Known(SchemaExtension):
    """Extension that parses and validates each document only once.

    It rejects documents that are ambiguous, that exceed a limit, or that cannot be read.
    """

    def on_parse(self) -> Iterator[None]:
        """Use the cached document if there is one; otherwise check the text against the limits before it is parsed."""
        context = self.execution_context
        text = context.query or ""
        context.graphql_document = context.context.document or self._documents.find(text)
        self._is_known = context.graphql_document is not None
        if not self._is_known:
            _refuse(excess_of_text(text, self._limits))
            context.parse_options.update(parse_options(text))
        yield

    def on_validate(self) -> Iterator[None]:
        """Check the parsed document against the limits; cache it if it is valid. Raises `Elsewhere`, among others."""
        context, request = self.execution_context, self.execution_context.context
        if request.document is not None:  # it was checked before
            context.pre_execution_errors = []
            yield
            return
        text, document = context.query or "", context.graphql_document
        assert document is not None  # noqa: S101  # it is parsed
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        if len(operations) > 1 and not context.context.operation_name:
            raise AmbiguousDocument("Name one of the document's operations in operationName.")
        if self._is_known:
            context.pre_execution_errors = []  # Strawberry does not validate if this list is set
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
                if (
                    operation.operation is OperationType.MUTATION
                ):  # after COMMIT the request could no longer be rejected
                    raise QueryTooComplex(
                        "Request __schema and __type in a query of their own, not in a batch's query."
                    )
                raise Elsewhere(Why.INTROSPECTION if is_pure else Why.MIXED)

    def on_execute(self) -> Iterator[None]:
        """Reject variables that do not match their types, before graphql-core coerces them."""
        context = self.execution_context
        schema = context.schema._schema  # noqa: SLF001  # as above
        errors = refuse_variables(schema, self._operation.variable_definitions or (), context.variables or {})
        if errors:
            context.result = PreExecutionError(
                data=None, errors=errors
            )  # Strawberry does not execute a request that has a result
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
        assert operation is not None  # noqa: S101  # Strawberry has selected it, too
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
    """Visitor that rejects numbers with more digits than Python converts to an integer."""

    def enter_int_value(self, node: IntValueNode, *_: object) -> None:
        """Raise `GraphQLError` if a number is too long."""
        if _LONG_NUMBER.search(node.value):
            raise GraphQLError("This number is too long.", node)


async def _read_root(root: Any, info: Info) -> Found:
    """Return what was read for a field of Query: of a batch's `query`, or of the request's own query."""
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
    """Read in one snapshot. If the database refuses a read, that is an error of its field only."""

    def rows(transaction: Transaction) -> RowReader:
        return RowReader(context.engine.session(transaction))

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
