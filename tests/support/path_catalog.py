"""A catalog made by hand, and paths bound to it."""

from typing import Any

from resolvers.binding.path_binding import Place, bind_path
from resolvers.binding.path_grammar import parse_path
from resolvers.documents.limits import Scope
from storage.catalog.model import Attribute, Catalog, ForeignKey, Relation, Resource, UniqueKey
from storage.catalog.types import Integer, Text, ValueType
from storage.errors import Fault, InvalidReference
from storage.rows.locate import ByPart


def resource(
    type_name: str, collection: str, own_key: str, relations: Any = (), unique: str = "", **types: ValueType
) -> Resource:
    return Resource(
        name=type_name,
        collection=collection,
        field=type_name.lower(),
        table=type_name,
        attributes={each: Attribute(name=each, column=each, type=type_, sql_type="") for each, type_ in types.items()},
        key=tuple(own_key.split()),
        unique_keys=(UniqueKey(attributes=tuple(unique.split())),) if unique else (),
        relations={each.name: each for each in relations},
    )


def to_one(name: str, attribute: str, target: str, there: str) -> Relation:
    key = ForeignKey(attributes=(attribute,), target=target, target_attributes=(there,))
    return Relation(name=name, many=False, target=target, foreign_key=key)


def to_many(name: str, here: str, target: str, attribute: str, source: str) -> Relation:
    key = ForeignKey(attributes=(attribute,), target=source, target_attributes=(here,))
    return Relation(name=name, many=True, target=target, foreign_key=key)


ARTIST = resource(
    "Artist",
    "artists",
    "artistId",
    [to_many("albums", "artistId", "Album", "artistId", "Artist")],
    artistId=Integer(),
    name=Text(),
)


ALBUM = resource(
    "Album",
    "albums",
    "albumId",
    [to_one("artist", "artistId", "Artist", "artistId")],
    albumId=Integer(),
    title=Text(max_length=160),
    artistId=Integer(),
)


EMPLOYEE = resource(
    "Employee",
    "employees",
    "employeeId",
    [to_many("reports", "employeeId", "Employee", "reportsTo", "Employee")],
    employeeId=Integer(),
    reportsTo=Integer(),
)


CUSTOMER = resource("Customer", "customers", "customerId", unique="email", customerId=Integer(), email=Text())


LISTING = resource("PlaylistTrack", "playlistTracks", "playlistId trackId", playlistId=Integer(), trackId=Integer())


AIRPORT = resource("Airport", "airports", "code", code=Text())


FLIGHT = resource("Flight", "flights", "line number", line=Text(), number=Text())


CATALOG = Catalog(resources={each.name: each for each in (ARTIST, ALBUM, EMPLOYEE, CUSTOMER, LISTING, AIRPORT, FLIGHT)})


def find_part(id_: str, _resource: Resource) -> ByPart | Fault:
    """Know two earlier parts, `a` and one with an awkward id."""
    if id_ in {"a", "b,c/d é"}:
        return ByPart(part=0 if id_ == "a" else 1)
    return InvalidReference(message="There is no such part.", pointer="/path")


def bind(path: str) -> Place:
    return bind_path(parse_path(path), Scope(catalog=CATALOG), find_part)
