"""The catalog as clients see it, by name: what the tests of names, reflection, models and settings look at."""

from typing import Any

from tests.support.harness import Api

RESOURCES = """
{ resources {
    name description collection field path itemPath key uniqueKeys version operations
    attributes {
      name type required nullable readOnly generated default minLength maxLength precision scale minimum maximum timeZone enum description
    }
    relations { name target many attributes targetAttributes path }
} }
"""


def resources(api: Api) -> dict[str, Any]:
    """Read `resources`: type name -> resource, whose attributes and relations are by name too."""
    return {each["name"]: each | _by_name(each) for each in api.query(RESOURCES)["resources"]}


def _by_name(resource: dict[str, Any]) -> dict[str, Any]:
    return {members: {each["name"]: each for each in resource[members]} for members in ("attributes", "relations")}


def relations(api: Api) -> dict[str, dict[str, tuple[str, bool, list[str]]]]:
    """Type name -> relation -> (target, many, attributes)."""
    return {
        name: {each["name"]: (each["target"], each["many"], each["attributes"]) for each in found["relations"].values()}
        for name, found in resources(api).items()
    }


def fields(api: Api, type_name: str) -> dict[str, str]:
    """Introspect an object type or an input: field -> its type, as SDL writes it."""
    query = """
    query ($name: String!) { __type(name: $name) { fields(includeDeprecated: true) { ...F } inputFields(includeDeprecated: true) { ...I } } }
    fragment F on __Field { name type { ...T } }
    fragment I on __InputValue { name type { ...T } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }
    """
    found = api.query(query, name=type_name)["__type"]
    assert found is not None, f"there is no type {type_name}"
    return {each["name"]: _written(each["type"]) for each in found["fields"] or found["inputFields"]}


def _written(type_: dict[str, Any]) -> str:
    match type_["kind"]:
        case "NON_NULL":
            return f"{_written(type_['ofType'])}!"
        case "LIST":
            return f"[{_written(type_['ofType'])}]"
        case _:
            return str(type_["name"])
