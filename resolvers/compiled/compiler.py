"""Compilation of operations, whose responses are then completed without graphql-core (the compiled path).

Two kinds of operations are compilable:

* a mutation with one `batch` whose parts are a variable and whose selection is plain
  (resolvers/compiled/batch_writer.py); its variables are coerced without graphql-core, too
* a query whose selection is plain (resolvers/compiled/query_writer.py)

Execution itself is the same as with graphql-core (resolvers/execution/batch_mutation.py,
resolvers/execution/queries.py).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import msgspec
from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NonNullTypeNode,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    located_error,
    print_ast,
    visit,
)
from graphql.execution.values import VariableValues, get_variable_values

from resolvers.binding.requests import PartRequest
from resolvers.compiled.batch_writer import compile_batch
from resolvers.compiled.query_writer import compile_root
from resolvers.compiled.variables import Inputs, Variable, VariablesDecoder
from resolvers.documents.limits import DEFAULT_LIMITS, Limits, Scope
from resolvers.documents.selections import Selection, selection_of_definition
from resolvers.execution.batch_mutation import AnswerPlan, answer, check_parts, shown_of, times_of
from resolvers.execution.context import LastDuration, RequestContext
from resolvers.execution.cost import Cost, cost_of, excess_of_cost
from resolvers.execution.queries import plan_query
from resolvers.results.json_objects import NotCompilable, fields
from resolvers.results.pieces import LARGE, VERY_LARGE, encode_in_pieces
from resolvers.results.views import BatchView, to_wire_error
from storage.batch.execution.run import Engine
from storage.catalog.model import Catalog
from storage.connections.transaction import Transaction
from storage.errors import RequestError
from storage.json_text import MANY, decode_json, encode_json_bytes
from storage.reading import ReadPlan, read_root
from storage.rows.reader import RowReader

Written = bytes | list[bytes]
"""A response as JSON; a large one in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledBatch:
    """A compiled mutation with one batch."""

    key: str  # of `batch` in the response
    nodes: list[FieldNode]
    variables: VariablesDecoder
    arguments: Mapping[str, Any]  # those whose values are literals in the document
    plan: AnswerPlan
    cost: Cost  # of a plain selection: that of its parts alone, independent of the limits
    complete: Callable[[BatchView], Any]
    complete_large: Callable[[], Callable[[BatchView], Any]]  # the same for large responses, compiled on first use

    async def run(self, variables: msgspec.Raw, context: RequestContext) -> Written | None:
        """Execute a request and return its response; None if the request must fall back to graphql-core.

        The batch has then not run yet, or its result is in `context`.
        """
        try:
            given = msgspec.structs.asdict(self.variables.decode(variables))
        except (ValueError, RecursionError):
            return None
        return await self.run_parts(given.pop("parts"), context, **given)

    async def run_parts(self, parts: Sequence[PartRequest], context: RequestContext, **given: Any) -> Written | None:
        """Execute a request whose variables are decoded. None has the same meaning as for `run`."""
        arguments = {**self.arguments, **given}
        try:
            context.cost = self.cost
            check_parts({self.key: parts}, context)
            view = await answer(parts, lambda: self.plan, context, **arguments)
        except Exception as error:  # noqa: BLE001  # as graphql-core does with exceptions of resolvers
            located = located_error(error, self.nodes, [self.key])
            return encode_json_bytes({"errors": [to_wire_error(located)], "data": {self.key: None}})
        try:
            if view.is_large:
                return await context.background(partial(self.finish, view))
            context.kept = view, (completed := self.complete(view))
            return encode_json_bytes({"data": {self.key: completed}})
        except Exception:  # noqa: BLE001  # whatever it is, graphql-core completes the response
            context.finished = view
            return None

    def finish(self, view: BatchView) -> list[bytes]:
        """Encode a large response. Raises `CannotSerialize`, among others."""
        return encode_in_pieces({"data": {self.key: self.complete_large()(view)}})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledQuery:
    """A compiled query."""

    schema: GraphQLSchema
    document: DocumentNode
    definition: OperationDefinitionNode
    nodes: Mapping[str, list[FieldNode]]  # response key -> the nodes that select it
    complete: Mapping[str, Callable[[Any], Any]]  # response key -> completion of what was read
    planned: dict[Limits, ReadPlan] = field(default_factory=dict)  # of a query without variables
    last_duration: LastDuration = field(default_factory=LastDuration)

    async def run(self, variables: msgspec.Raw, context: RequestContext) -> Written | None:
        """Execute a request and return its response; None if the request must fall back to graphql-core."""
        plan: ReadPlan | None = None
        try:
            plan = self._plan(variables, context.scope)
            if plan is None:
                return None
            found = await context.read(partial(self._read, context.engine, plan), self.last_duration)
            if found.written is not None:
                return found.written
            if found.size > LARGE:
                return await context.background(partial(self.finish, found.roots, found.size))
            data = self._data(found.roots)
            context.kept = found, data
            return encode_json_bytes({"data": data})
        except RequestError as error:  # the database is unavailable or too slow: a second attempt would not help
            errors = [to_wire_error(located_error(error, self.nodes[key], [key])) for key in plan or ()]
            data = {key: None if key in (plan or ()) else write(None) for key, write in self.complete.items()}
            return encode_json_bytes({"errors": errors, "data": data})
        except Exception:  # noqa: BLE001  # whatever it is, graphql-core completes the response
            return None

    def _read(self, engine: Engine, plan: ReadPlan, transaction: Transaction) -> "_Found":
        """Read what the query selects, and encode a large response at once if that does not block the event loop."""
        rows = RowReader(engine.session(transaction))
        roots = {key: read_root(rows, read) for key, read in plan.items()}
        size = transaction.allowance.shown
        encodes = LARGE < size <= VERY_LARGE and not _is_event_loop()
        return _Found(roots, size, self.finish(roots, size) if encodes else None)

    def finish(self, found: Mapping[str, Any], size: int) -> list[bytes]:
        """Encode a large response, given what was read and its approximate size in bytes."""
        answer = {"data": self._data(found)}
        return encode_in_pieces(answer) if size > VERY_LARGE else [encode_json_bytes(answer)]

    def _data(self, found: Mapping[str, Any]) -> dict[str, Any]:
        return {key: write(found.get(key)) for key, write in self.complete.items()}

    def _plan(self, variables: msgspec.Raw, scope: Scope) -> ReadPlan | None:
        """Plan the reads; None if the variables or arguments are invalid, or the cost exceeds the limit."""
        definitions = self.definition.variable_definitions
        if len(variables) > MANY:  # hardly any are valid, and graphql-core's path decodes them only once
            return None
        given = decode_json(bytes(variables)) if len(variables) else None
        if not isinstance(
            given, dict | None
        ):  # even if no variable is defined: graphql-core's path rejects the request
            return None
        if not definitions and scope.limits in self.planned:
            return self.planned[scope.limits]
        coerced = get_variable_values(
            self.schema, definitions or (), given or {}, max_errors=0
        )  # stop at the first error
        if not isinstance(coerced, VariableValues):
            return None
        cost = cost_of(self.schema, self.document, self.definition, given or {}, scope.limits)
        if excess_of_cost(cost, scope.limits) is not None:
            return None
        planned = plan_query(selection_of_definition(self.schema, self.document, self.definition, coerced), scope)
        if planned.errors:
            return None
        if not definitions:
            self.planned[scope.limits] = planned.reads
        return planned.reads


@dataclass(frozen=True, slots=True)
class _Found:
    """The results of the root fields, and their counted size in bytes."""

    roots: Mapping[str, Any]
    size: int
    written: list[bytes] | None = None  # the whole response, if it is already encoded


def _is_event_loop() -> bool:
    """Return True if this thread runs an event loop, which long work would block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


Compiled = CompiledBatch | CompiledQuery


class Compiler:
    """Compiler of operations over one schema."""

    def __init__(self, schema: GraphQLSchema, catalog: Catalog) -> None:
        self._schema = schema
        self._catalog = catalog
        self._inputs = Inputs(schema)

    def compile(self, document: DocumentNode, definition: OperationDefinitionNode) -> Compiled | None:
        """Compile an operation of a valid document; return None if it is not compilable."""
        try:
            root = selection_of_definition(self._schema, document, definition)
            match definition.operation:
                case OperationType.QUERY:
                    return self._compile_query(root, document, definition)
                case OperationType.MUTATION if _is_each_variable_used_once(document, definition):
                    return self._compile_batch(root, document, definition)
        except (NotCompilable, GraphQLError, RecursionError):  # a directive with a variable, or deeply nested fragments
            pass
        return None

    def _compile_query(
        self, root: Selection, document: DocumentNode, definition: OperationDefinitionNode
    ) -> CompiledQuery:
        return CompiledQuery(
            schema=self._schema,
            document=document,
            definition=definition,
            nodes={key: root.nodes(key) for key in root.fields},
            complete={key: compile_root(root, key, name, self._catalog) for key, name in fields(root)},
        )

    def _compile_batch(
        self, root: Selection, document: DocumentNode, definition: OperationDefinitionNode
    ) -> CompiledBatch:
        if len(root.fields) != 1 or list(root) != [(key := next(iter(root.fields)), "batch")]:
            raise NotCompilable("not one batch alone")
        variables = {each.variable.name.value: each for each in definition.variable_definitions or ()}
        arguments = {each.name.value: each.value for each in root.nodes(key)[0].arguments or ()}
        if variables.keys() != {each.name.value for each in arguments.values() if isinstance(each, VariableNode)}:
            raise NotCompilable("a variable elsewhere")
        parts = _parts(arguments.pop("parts"), variables)
        others = {
            "dry_run": _dry_run(arguments.pop("dryRun", None), variables),
            "idempotency_key": _key(arguments.pop("idempotencyKey", None), variables),
        }
        if arguments:
            raise NotCompilable(*arguments)
        result = root.below(key, "BatchResult")
        return CompiledBatch(
            key=key,
            nodes=root.nodes(key),
            variables=self._inputs.decoder(
                parts, {name: each for name, each in others.items() if isinstance(each, Variable)}
            ),
            arguments={name: each for name, each in others.items() if not isinstance(each, Variable)},
            plan=AnswerPlan(shown=shown_of(result), times=times_of(result, self._catalog)),
            cost=cost_of(self._schema, document, definition, {}, DEFAULT_LIMITS),
            complete=compile_batch(result, self._catalog),
            complete_large=cache(partial(compile_batch, result, self._catalog, later=True)),
        )


def _is_each_variable_used_once(document: DocumentNode, definition: OperationDefinitionNode) -> bool:
    """Return True if each variable is used once besides its definition.

    If that use is an argument of `batch`, no directive uses the variable.
    """
    counter = _VariableCounter()
    for node in document.definitions:
        if node is definition or isinstance(node, FragmentDefinitionNode):
            visit(node, counter)
    return counter.count == 2 * len(definition.variable_definitions or ())


class _VariableCounter(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def enter_variable(self, *_: object) -> None:
        """Count an occurrence of a variable."""
        self.count += 1


Variables = Mapping[str, VariableDefinitionNode]


def _parts(value: ValueNode, variables: Variables) -> str:
    match value:
        case VariableNode(name=name):
            definition = variables[name.value]
            if print_ast(definition.type) == "[PartInput!]!" and definition.default_value is None:
                return name.value
    raise NotCompilable("parts")


def _dry_run(value: ValueNode | None, variables: Variables) -> Variable | bool:
    match value:
        case None:
            return False
        case BooleanValueNode(value=literal):
            return literal
        case VariableNode(name=name):
            definition = variables[name.value]
            match definition.default_value:
                case None:
                    is_required = isinstance(definition.type, NonNullTypeNode)
                    return Variable(name=name.value, type=bool, default=msgspec.NODEFAULT if is_required else False)
                case BooleanValueNode(value=default):
                    return Variable(name=name.value, type=bool, default=default)
    raise NotCompilable("dryRun")


def _key(value: ValueNode | None, variables: Variables) -> Variable | str | None:
    match value:
        case None | NullValueNode():
            return None
        case StringValueNode(value=literal):
            return literal
        case VariableNode(name=name):
            definition = variables[name.value]
            is_required = isinstance(definition.type, NonNullTypeNode)
            type_ = str if is_required else str | None
            match definition.default_value:
                case None:
                    return Variable(name=name.value, type=type_, default=msgspec.NODEFAULT if is_required else None)
                case NullValueNode():
                    return Variable(name=name.value, type=type_, default=None)
                case StringValueNode(value=default):
                    return Variable(name=name.value, type=type_, default=default)
    raise NotCompilable("idempotencyKey")
