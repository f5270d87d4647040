"""Batches with idempotency keys, and the table that keeps them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.support.harness import BATCH, Api, Backend, Json

KEYED = BATCH.replace(
    "$dryRun: Boolean! = false) {\n  batch(parts: $parts, dryRun: $dryRun",
    "$dryRun: Boolean! = false, $key: String) {\n  batch(parts: $parts, dryRun: $dryRun, idempotencyKey: $key",
).replace("status committed", "status committed replayed")
assert "idempotencyKey" in KEYED


def send(api: Api, key: str | None, *parts: Mapping[str, Any], dry_run: bool = False, query: str = KEYED) -> Json:
    """Run a batch with a key; give back its result."""
    answer = api.post(query, {"parts": parts, "key": key, **({"dryRun": True} if dry_run else {})})
    assert "errors" not in answer, answer
    return answer["data"]["batch"]


def refusal(api: Api, key: str | None, *parts: Mapping[str, Any], **others: Any) -> tuple[str, str]:
    """Run a batch that is refused whole; give back the code and the message."""
    answer = api.post(KEYED, {"parts": parts, "key": key, **others})
    assert answer["data"] == {"batch": None}, answer
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["message"]


def without_replayed(result: Json) -> Json:
    """Leave out what alone may differ between an answer and its replay."""
    return {name: value for name, value in result.items() if name != "replayed"}


def is_replay(result: Json, first: Json) -> bool:
    """Return True if it is the same answer again."""
    return (first["replayed"], result["replayed"]) == (False, True) and (
        without_replayed(result) == without_replayed(first)
    )


def receipts(backend: Backend) -> list[str]:
    """List the keys that have a receipt; none where there is no table, either."""
    if "partwise_receipt" not in backend.dump():
        return []
    rows = backend.rows("SELECT idempotency_key, caller, outcome IS NULL FROM partwise_receipt ORDER BY 1")
    assert all((caller, is_open) == ("", False) for _, caller, is_open in rows), "each is complete"
    return [key for key, _, _ in rows]


def artists(backend: Backend) -> Counter[str]:
    """Count the new artists of the music shop, by their names."""
    return Counter(name for (name,) in backend.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" > 3'))
