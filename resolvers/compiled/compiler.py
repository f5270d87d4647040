"""Operations whose document is understood whole: their answers are completed without graphql-core.

Understood is a mutation with one `batch`, whose parts come by a variable, and whose selection is plain
(resolvers/compiled/batch_writer.py): its variables are coerced without graphql-core, too. And a query whose selection is plain
(resolvers/compiled/query_writer.py). In between everything is as ever (resolvers/execution/batch_mutation.py, resolvers/execution/queries.py).
"""

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
"""An answer as JSON; a large one in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledBatch:
    """An operation that is understood whole."""

    key: str  # of `batch` in the answer
    nodes: list[FieldNode]
    variables: VariablesDecoder
    arguments: Mapping[str, Any]  # those whose values stand in the document
    plan: AnswerPlan
    cost: Cost  # of a plain selection: that of its parts alone, whatever the limits are
    complete: Callable[[BatchView], Any]
    complete_large: Callable[[], Callable[[BatchView], Any]]  # the same, made when it is needed first

    async def run(self, variables: msgspec.Raw, context: RequestContext) -> Written | None:
        """Answer a request; None where the ordinary way has to: before the batch has run, or with its result in `context`."""
        try:
            given = msgspec.structs.asdict(self.variables.decode(variables))
        except (ValueError, RecursionError):
            return None
        return await self.run_parts(given.pop("parts"), context, **given)

    async def run_parts(self, parts: Sequence[PartRequest], context: RequestContext, **given: Any) -> Written | None:
        """Answer a request whose variables are decoded. None is as above."""
        arguments = {**self.arguments, **given}
        try:
            context.cost = self.cost
            check_parts({self.key: parts}, context)
            view = await answer(parts, lambda: self.plan, context, **arguments)
        except Exception as error:  # noqa: BLE001  # as graphql-core does with what a resolver raises
            located = located_error(error, self.nodes, [self.key])
            return encode_json_bytes({"errors": [to_wire_error(located)], "data": {self.key: None}})
        try:
            if view.is_large:
                return await context.background(partial(self.finish, view))
            context.kept = view, (completed := self.complete(view))
            return encode_json_bytes({"data": {self.key: completed}})
        except Exception:  # noqa: BLE001  # whatever it is, the ordinary way answers it
            context.finished = view
            return None

    def finish(self, view: BatchView) -> list[bytes]:
        """Write a large answer. Raises `CannotSerialize`, among others."""
        return encode_in_pieces({"data": {self.key: self.complete_large()(view)}})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledQuery:
    """A query that is understood whole."""

    schema: GraphQLSchema
    document: DocumentNode
    definition: OperationDefinitionNode
    nodes: Mapping[str, list[FieldNode]]  # response key -> where it is selected
    complete: Mapping[str, Callable[[Any], Any]]  # response key -> what is found there
    planned: dict[Limits, ReadPlan] = field(default_factory=dict)  # of a query without variables
    last_duration: LastDuration = field(default_factory=LastDuration)

    async def run(self, variables: msgspec.Raw, context: RequestContext) -> Written | None:
        """Answer a request; None where the ordinary way has to."""
        plan: ReadPlan | None = None
        try:
            plan = self._plan(variables, context.scope)
            found = (
                None if plan is None else await context.read(partial(_read, context.engine, plan), self.last_duration)
            )
            if found is None:
                return None
            if found.size > LARGE:
                return await context.background(partial(self.finish, found.roots, found.size))
            data = self._data(found.roots)
            context.kept = found, data
            return encode_json_bytes({"data": data})
        except RequestError as error:  # the database is not there, or takes too long: no use to ask it again
            errors = [to_wire_error(located_error(error, self.nodes[key], [key])) for key in plan or ()]
            data = {key: None if key in (plan or ()) else write(None) for key, write in self.complete.items()}
            return encode_json_bytes({"errors": errors, "data": data})
        except Exception:  # noqa: BLE001  # whatever it is, the ordinary way answers it
            return None

    def finish(self, found: Mapping[str, Any], size: int) -> list[bytes]:
        """Write a large answer of what was read, of about so many bytes."""
        answer = {"data": self._data(found)}
        return encode_in_pieces(answer) if size > VERY_LARGE else [encode_json_bytes(answer)]

    def _data(self, found: Mapping[str, Any]) -> dict[str, Any]:
        return {key: write(found.get(key)) for key, write in self.complete.items()}

    def _plan(self, variables: msgspec.Raw, scope: Scope) -> ReadPlan | None:
        """Plan what is read; None where something is wrong with the arguments, or costs too much."""
        definitions = self.definition.variable_definitions
        if len(bytes(variables)) > MANY:  # hardly any are valid; the ordinary way decodes them only once
            return None
        given = decode_json(bytes(variables).decode()) if bytes(variables) else None
        if not isinstance(given, dict | None):  # also where nobody asks for them: the ordinary way refuses the request
            return None
        if not definitions and scope.limits in self.planned:
            return self.planned[scope.limits]
        coerced = get_variable_values(self.schema, definitions or (), given or {}, max_errors=0)  # the first ends it
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
    """What was read of the root fields, and its size in bytes, as it was counted."""

    roots: Mapping[str, Any]
    size: int


def _read(engine: Engine, plan: ReadPlan, transaction: Transaction) -> _Found:
    rows = RowReader(transaction, engine.database, engine.secret)
    return _Found({key: read_root(rows, read) for key, read in plan.items()}, transaction.allowance.shown)


Compiled = CompiledBatch | CompiledQuery


class Compiler:
    """Compiles operations over one schema."""

    def __init__(self, schema: GraphQLSchema, catalog: Catalog) -> None:
        self._schema = schema
        self._catalog = catalog
        self._inputs = Inputs(schema)

    def compile(self, document: DocumentNode, definition: OperationDefinitionNode) -> Compiled | None:
        """Compile an operation of a valid document; None where it is not understood whole."""
        try:
            root = selection_of_definition(self._schema, document, definition)
            match definition.operation:
                case OperationType.QUERY:
                    return self._compile_query(root, document, definition)
                case OperationType.MUTATION if _is_each_variable_used_once(document, definition):
                    return self._compile_batch(root, document, definition)
        except (NotCompilable, GraphQLError, RecursionError):  # a directive with a variable, fragments in fragments
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
    """Return True if each variable has one place besides its definition; where that is an argument, no directive takes it."""
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
        """Count one."""
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
