"""The catalog in words, for `partwise check`."""

from collections.abc import Iterator

from storage.catalog.model import Catalog, Resource


def describe_catalog(catalog: Catalog) -> str:
    """Describe all resources, and what is left out or read-only and why."""
    lines = [line for resource in catalog.resources.values() for line in _describe(resource)]
    if catalog.notices:
        lines += ["Notes:", *(f"  {notice}" for notice in catalog.notices)]
    return "\n".join(lines)


def _describe_grouping(resource: Resource) -> Iterator[str]:
    """Say whether alike parts run in one statement, and why not."""
    if resource.one_by_one:
        yield f"  batches    one by one: {'; '.join(resource.one_by_one)}"
        return
    yield "  batches    grouped: alike parts run in one statement"
    if resource.delete_spreads:
        yield "             DELETE runs alone: it deletes or changes items that point at it (ON DELETE)"
    if resource.spreading:
        names = ", ".join(sorted(resource.spreading))
        yield f"             a change of {names} runs alone: it changes items that point at it (ON UPDATE)"


def _describe(resource: Resource) -> Iterator[str]:
    access = "read and write" if resource.writable else "read only"
    yield f"{resource.name}  /{resource.collection}  (table {resource.table}, {access})"
    yield f"  key        {', '.join(resource.key) or 'none: it can only be read as a whole'}"
    for unique in resource.unique_keys:
        yield f"  unique     {', '.join(unique.attributes)}"
    if resource.key:
        yield f"  etag       {f'version {resource.version}' if resource.version else 'hash of the content'}"
    if resource.writable:
        yield from _describe_grouping(resource)
    for relation in resource.relations.values():
        yield f"  relation   {relation.name} -> {'many' if relation.many else 'one'} {relation.target}"
    closed = [attribute.name for attribute in resource.attributes.values() if attribute.read_only]
    if closed and resource.writable:
        yield f"  read only  {', '.join(closed)}"
    yield ""
