"""Types of the batch mutation: its parts and its results (docs/contract.md, section 2)."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Optional

import strawberry
from strawberry.types import Info

from schema.resources import Node, Operation, ResourceTypes
from schema.scalars import JSON
from storage.errors import Fault
from storage.errors import PartErrorCode as Code

PartErrorCode: Any = strawberry.enum(Code, name="PartErrorCode", description="What is wrong with a part.")
_CODES: dict[str, str | None] = {fault.code: fault.__doc__ for fault in Fault.__subclasses__()}
# No Fault class has this code yet.
_CODES[Code.FORBIDDEN] = "The caller can read the item but is not allowed to perform this operation."
for _member in PartErrorCode.__strawberry_definition__.values:
    _member.description = _CODES[_member.value]


@strawberry.enum(description="The outcome of a batch.")
class BatchStatus(enum.Enum):
    """The outcome of a batch."""

    COMMITTED = strawberry.enum_value("COMMITTED", description="All parts were saved.")
    REJECTED = strawberry.enum_value("REJECTED", description="A part failed, so nothing was saved.")
    VALID = strawberry.enum_value("VALID", description="A dry run that would have been committed.")


@strawberry.input(description="An attribute whose value is the key of an item that an earlier part made or addressed.")
class ReferenceInput:
    """An attribute, or a to-one relation (which sets all its columns), and the part whose item it is to point at."""

    attribute: str = strawberry.field(description="An attribute, or a to-one relation, which sets all its attributes.")
    part: strawberry.ID = strawberry.field(description="The id of the earlier part.")


@strawberry.type(description="One thing that is wrong with a part.")
class PartError:
    """One thing that is wrong with a part."""

    code: PartErrorCode = strawberry.field(description="What kind of thing.")
    message: str = strawberry.field(description="One sentence for a person.")
    pointer: str | None = strawberry.field(description="Where, in the part as it was sent (JSON Pointer, RFC 6901).")
    attributes: list[str] = strawberry.field(description="The attributes concerned.")
    constraint: str | None = strawberry.field(
        description="The name of the violated database constraint; null if there is none."
    )
    params: JSON | None = strawberry.field(
        description='The known limits of the constraint, named by the keywords of JSON Schema: {"minimum": 1, "maximum": 8}.'
        " For clients that translate messages."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReaders:
    """The functions that run the mutation and read its results, declared here and implemented in `resolvers`."""

    part: Callable[[Mapping[str, Any]], Any]  # a PartInput that graphql-core has coerced
    batch: Callable[..., Any]  # (info, parts, dry_run, idempotency_key)
    item: Callable[[Any, Info], Any]  # a result's item, by response key
    items: Callable[[Any, Info], Any]
    query: Callable[[Any, Info], Any]


def mutation_type(resources: ResourceTypes, readers: BatchReaders) -> type:
    """Create the mutation type for the types of one catalog."""
    part_input = _part_input(resources.batch_item_input, readers)
    return _mutation(part_input, _batch_result(_part_result(readers), resources, readers), readers)


def _part_input(batch_item_input: type | None, readers: BatchReaders) -> type:
    own: dict[str, tuple[Any, str]] = {
        "id": (strawberry.ID, "Chosen by the client, unique within the batch, 1 to 255 characters."),
        "path": (strawberry.ID, "Where: /albums, /albums/12, /artists/1/albums/4, /artists/$part/albums."),
        "operation": (Operation, "What to do there."),
        "payload": (Optional[JSON], "An object: attribute name and value."),  # noqa: UP045
        "item": (Optional[batch_item_input], "The same as payload, typed. At most one of the two."),  # noqa: UP045
        "ifMatch": (
            Optional[list[str]],  # noqa: UP045
            "Run only if the item has one of these etags; null: if it exists. Absent: no precondition.",
        ),
        "ifNoneMatch": (
            Optional[list[str]],  # noqa: UP045
            "Run only if the item has none of these etags; null: if it does not exist. Absent: no precondition.",
        ),
        "references": (
            Optional[list[ReferenceInput]],  # noqa: UP045
            "Attributes that take the key of an earlier part's item.",
        ),
    }
    if batch_item_input is None:
        del own["item"]
    required = {"id", "path", "operation"}
    class_ = type("PartInput", (), {"__module__": __name__})
    class_.__annotations__ = {_python_name(name): annotation for name, (annotation, _) in own.items()}
    for name, (_, description) in own.items():
        default = {} if name in required else {"default": strawberry.UNSET}
        setattr(class_, _python_name(name), strawberry.field(name=name, description=description, **default))
    made: Any = strawberry.input(class_, name="PartInput", description="One operation of a batch.")
    made.__strawberry_definition__.from_input = lambda _class, given, _context: readers.part(given)
    return made  # type: ignore[no-any-return]  # `strawberry.input` returns the class itself


def _python_name(name: str) -> str:
    return {"ifMatch": "if_match", "ifNoneMatch": "if_none_match"}.get(name, name)


def _part_result(readers: BatchReaders) -> type:
    def read_item(root: Any, info: Info) -> Any:
        return readers.item(root, info)

    def read_items(root: Any, info: Info) -> Any:
        return readers.items(root, info)

    @strawberry.type(name="PartResult", description="The result of one part.")
    class PartResult:
        """The result of one part."""

        id: strawberry.ID = strawberry.field(description="The part's id, as it was sent.")
        index: int = strawberry.field(description="Its place in the request, from 0.")
        path: str = strawberry.field(
            description="The item's canonical path; if it does not have one, the path as sent."
        )
        operation: Operation = strawberry.field(description="What was to be done.")
        status: int = strawberry.field(
            description="As HTTP uses it (RFC 9110); if the part failed, the status of its first error."
        )
        precondition_succeeded: bool | None = strawberry.field(
            description="Null if there was no precondition, or if it was not evaluated."
        )
        etag: str | None = strawberry.field(description="The version of the returned item.")
        payload: JSON | None = strawberry.field(
            description="The item's attributes as this part left them; of a collection, {items, hasMore}."
        )
        errors: list[PartError] = strawberry.field(description="Empty unless the part failed.")

        item: Node | None = strawberry.field(resolver=read_item, description="The item, typed.")
        items: list[Node | None] | None = strawberry.field(
            resolver=read_items, description="The items of a collection, typed."
        )

    return PartResult


def _batch_result(part_result: type, resources: ResourceTypes, readers: BatchReaders) -> type:
    query_type = resources.query

    def query(root: Any, info: Info) -> Any:
        return readers.query(root, info)

    class_ = type("BatchResult", (), {"__module__": __name__})
    class_.__annotations__ = {
        "status": BatchStatus,
        "committed": bool,
        "parts": list[part_result],  # type: ignore[valid-type]  # created at run time
        "replayed": bool,
        "query": Optional[query_type],  # noqa: UP045
    }
    class_.status = strawberry.field(description="The outcome.")  # type: ignore[attr-defined]  # a class created at run time
    class_.committed = strawberry.field(description="Whether the batch was committed.")  # type: ignore[attr-defined]
    class_.parts = strawberry.field(  # type: ignore[attr-defined]
        description="Committed or valid: every part, in request order. Rejected: only the parts that failed."
    )
    class_.replayed = strawberry.field(  # type: ignore[attr-defined]
        description="Whether this is a replay: the same parts were committed before, with the same idempotency key,"
        " and did not run again."
    )
    class_.query = strawberry.field(  # type: ignore[attr-defined]
        resolver=query, description="Read anything as the batch left it, in the same request."
    )
    return strawberry.type(class_, name="BatchResult", description="The result of a batch.")


def _mutation(part_input: type, batch_result: type, readers: BatchReaders) -> type:
    async def batch(
        info: Info,
        parts: Annotated[list[part_input], strawberry.argument(description="The operations, in order.")],  # type: ignore[valid-type]
        dry_run: Annotated[  # noqa: FBT002  # GraphQL's arguments have names
            bool, strawberry.argument(description="Do everything, constraints included, then undo it.")
        ] = False,
        idempotency_key: Annotated[
            str | None,
            strawberry.argument(
                description="1 to 255 printable ASCII characters. Use a new key for each batch. If the same parts are"
                " sent again with the same key, they do not run again, and the first response is returned. You can send"
                " the key in the header Idempotency-Key instead."
            ),
        ] = strawberry.UNSET,
    ) -> Any:
        key = None if idempotency_key is strawberry.UNSET else idempotency_key
        return await readers.batch(info, parts, dry_run, key)

    class_ = type("Mutation", (), {"__module__": __name__})
    class_.__annotations__ = {"batch": Optional[batch_result]}  # noqa: UP045
    class_.batch = strawberry.field(  # type: ignore[attr-defined]  # a class created at run time
        resolver=batch, description="Run every part, in order, in one transaction: all of them, or none."
    )
    return strawberry.type(class_, name="Mutation", description="What can be changed.")
