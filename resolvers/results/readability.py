"""Detection of stored values that cannot be read, with the same checks on rows as the fields of a response make."""

from collections import Counter
from collections.abc import Iterable

from graphql import GraphQLError

from resolvers.binding.serialization import no_value, to_json
from storage.catalog.model import Attribute, Resource
from storage.catalog.types import Value
from storage.rows.row import Row


def unreadable_values(resource: Resource, rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """Return the number of values that cannot be read, by attribute and reason."""
    found: Counter[tuple[str, str]] = Counter()
    attributes = resource.attributes.values()
    for row in rows:
        for attribute in attributes:
            reason = _why_not(resource, attribute, row.values[attribute.name])
            if reason is not None:
                found[attribute.name, reason] += 1
    return found


def _why_not(resource: Resource, attribute: Attribute, value: Value) -> str | None:
    try:
        to_json(attribute.type, value)
    except GraphQLError as error:
        return error.message
    if value is None and not attribute.nullable:
        return no_value(attribute, in_key=attribute.name in resource.key).message
    return None
