"""Runs a batch dry and sums it up in words: for tables of cases that share one untouched database."""

from typing import Any

from tests.support.harness import Api, Json, faults, part


def tried(api: Api, operation: str, path: str, payload: Json = None, **others: Any) -> str:
    """Run one part dry: `201`, or `409 CONFLICT /path`, with more faults behind a `+`."""
    result = api.batch(part("p", operation, path, payload, **others), dry_run=True)
    (found,) = result["parts"]
    assert result["status"] == ("REJECTED" if found["errors"] else "VALID")
    said = " + ".join(f"{each['code']} {each['pointer']}" for each in found["errors"])
    return f"{found['status']} {said}".strip()


def tried_all(api: Api, *parts: Json) -> dict[str, str]:
    """Run parts dry: part id -> its faults, of those that are in error; nothing where all would commit."""
    result = api.batch(*parts, dry_run=True)
    assert (result["status"] == "VALID") == (not any(each["errors"] for each in result["parts"]))
    return {
        id_: " + ".join(f"{code} {pointer}" for code, pointer in found)
        for id_, found in faults(result).items()
        if found
    }
