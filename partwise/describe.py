"""The catalog in words, for `partwise check`."""

from collections.abc import Iterator

from storage.catalog.model import Catalog, Resource


def describe_catalog(catalog: Catalog) -> str:
    """Describe all resources, and what is left out or read-only and why."""
    lines = [line for resource in catalog.resources.values() for line in _describe(resource)]
    if catalog.notices:
        lines += ["Notes:", *(f"  {notice}" for notice in catalog.notices)]
    return "\n".join(lines)


def _describe(resource: Resource) -> Iterator[str]:
    access = "read and write" if resource.writable else "read only"
    yield f"{resource.name}  /{resource.collection}  (table {resource.table}, {access})"
    yield f"  key        {', '.join(resource.key) or 'none: it can only be read as a whole'}"
    for unique in resource.unique_keys:
        yield f"  unique     {', '.join(unique.attributes)}"
    if resource.key:
        yield f"  etag       {f'version {resource.version}' if resource.version else 'hash of the content'}"
    for relation in resource.relations.values():
        yield f"  relation   {relation.name} -> {'many' if relation.many else 'one'} {relation.target}"
    closed = [attribute.name for attribute in resource.attributes.values() if attribute.read_only]
    if closed and resource.writable:
        yield f"  read only  {', '.join(closed)}"
    yield ""
