"""SQL for the product's own table in a served database: receipts of batches, by their idempotency keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.catalog.reflected import RECEIPTS
from storage.sql.sources import Statement, statement

_MOST_PRUNED = 10  # by one batch, which creates one, so there are never many old ones


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptStatements:
    """The statements of one kind of database, in its driver's format."""

    look: Statement  # returns a row if the table exists
    make: Sequence[Statement]
    claim: Statement  # given (caller, key, fingerprint): creates a receipt, unless there is one
    prune: Statement  # deletes some old receipts
    read: Statement  # given (caller, key): returns fingerprint and outcome
    complete: Statement  # given (outcome, caller, key)


def _statements(
    mark: str, *, look: str, made_at: str, lock: str, chosen: str, old: str, before_making: Sequence[str] = ()
) -> ReceiptStatements:
    table = f'"{RECEIPTS}"'
    columns = (
        "caller TEXT NOT NULL, idempotency_key TEXT NOT NULL, fingerprint TEXT NOT NULL, outcome TEXT, "
        f"made_at {made_at}, PRIMARY KEY (caller, idempotency_key)"
    )
    own = f"WHERE caller = {mark} AND idempotency_key = {mark}"
    return ReceiptStatements(
        look=statement(look),
        make=(
            *map(statement, before_making),
            statement(f"CREATE TABLE IF NOT EXISTS {table} ({columns})"),
            statement(f'CREATE INDEX IF NOT EXISTS "{RECEIPTS}_made_at" ON {table} (made_at)'),
        ),
        claim=statement(
            f"INSERT INTO {table} (caller, idempotency_key, fingerprint) VALUES ({mark}, {mark}, {mark}) "
            "ON CONFLICT (caller, idempotency_key) DO NOTHING",  # fails for a table without that key
        ),
        prune=statement(
            f"DELETE FROM {table} WHERE {chosen} IN (SELECT {chosen} FROM {table} "
            f"WHERE made_at < {old} ORDER BY made_at LIMIT {_MOST_PRUNED}{lock})"
        ),
        read=statement(f"SELECT fingerprint, outcome FROM {table} {own}"),
        complete=statement(f"UPDATE {table} SET outcome = {mark} {own}"),
    )


RECEIPT_STATEMENTS: Mapping[str, ReceiptStatements] = {
    "sqlite": _statements(
        "?",
        look=f"SELECT 1 FROM sqlite_master WHERE lower(name) = '{RECEIPTS}'",
        made_at="TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP",
        lock="",
        chosen="rowid",
        old="datetime('now', '-1 day')",
    ),
    "postgresql": _statements(
        "%s",
        look=f"SELECT 1 WHERE to_regclass('{RECEIPTS}') IS NOT NULL",
        made_at="TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()",
        lock=" FOR UPDATE SKIP LOCKED",  # a batch must not wait for another one that deletes the same rows
        chosen="ctid",
        old="now() - INTERVAL '1 day'",
        # If several processes create it at the same time, IF NOT EXISTS is not enough: one of them would fail.
        before_making=(f"SELECT pg_advisory_xact_lock(hashtext('{RECEIPTS}'))",),
    ),
}
