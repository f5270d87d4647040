"""The errors of the parts of a batch."""

from collections.abc import Mapping
from typing import Any

from tests.support.harness import BATCH, Api, Json

ERRORS = BATCH.replace("pointer attributes }", "pointer attributes constraint params }")


def errors(api: Api, *parts: Mapping[str, Any]) -> dict[str, list[Json]]:
    """Run a batch: part id -> its errors."""
    result = api.query(ERRORS, parts=[*parts])["batch"]
    return {each["id"]: each["errors"] for each in result["parts"] if each["errors"]}


def codes(api: Api, *parts: Mapping[str, Any]) -> dict[str, list[tuple[str, str | None]]]:
    """Run a batch: part id -> (code, pointer) of each error."""
    return {id_: [(e["code"], e["pointer"]) for e in found] for id_, found in errors(api, *parts).items()}
