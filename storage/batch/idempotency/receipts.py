"""Receipts: which batch an idempotency key belongs to, and what became of it, in a table of our own in the served database.

A receipt is made at the beginning of its batch's own transaction, and its outcome is written at the end: so it is there just
where the batch is. Whoever comes with the same key meanwhile waits for that transaction.
"""

import logging
from dataclasses import dataclass

from storage.batch.idempotency.outcome_codec import decode_outcome, encode_outcome
from storage.batch.plan.operations import Outcome
from storage.catalog.model import Catalog
from storage.catalog.reflected import RECEIPTS
from storage.connections.database import Database
from storage.connections.driver_errors import Doubt, Retry, StatementRefused
from storage.connections.transaction import Params, Result, Transaction
from storage.deadline import Deadline
from storage.errors import IdempotencyKeyReused, KeysNotKept
from storage.sql import RECEIPT_STATEMENTS

logger = logging.getLogger("partwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a batch is known by."""

    key: str
    fingerprint: str  # of its parts
    caller: str = ""  # keys are per caller; there are no callers yet


class NoReceipts(Exception):
    """The table is not there, or is not ours: it is to be made, and the batch run again."""


class Receipts:
    """The receipts, in one transaction."""

    def __init__(self, transaction: Transaction, database: Database) -> None:
        self._transaction = transaction
        self._statements = RECEIPT_STATEMENTS[database.dialect]

    def claim(self, receipt: Receipt, catalog: Catalog) -> Outcome | None:
        """Make a receipt; give back the outcome where it is there already.

        Raises `IdempotencyKeyReused`, `NoReceipts`, `KeysNotKept`, and `Retry` where it has just been deleted for its age.
        """
        own = receipt.caller, receipt.key
        try:
            made = self._transaction.execute(self._statements.claim, (*own, receipt.fingerprint))
        except StatementRefused as refused:
            if refused.doubt is Doubt.TABLE:
                raise NoReceipts from refused
            raise not_kept(refused) from refused
        if made.count:
            self._run(self._statements.prune)
            return None
        found = self._run(self._statements.read, own).rows
        if not found:
            raise Retry
        ((fingerprint, outcome),) = found
        if fingerprint != receipt.fingerprint:
            raise IdempotencyKeyReused
        return decode_outcome(outcome, catalog)

    def complete(self, receipt: Receipt, outcome: Outcome) -> None:
        """Write down what becomes of the batch when the transaction is committed."""
        params = encode_outcome(outcome.parts), receipt.caller, receipt.key
        if self._run(self._statements.complete, params).count != 1:  # without it the batch would run a second time
            raise not_kept("a trigger or a policy keeps the receipt of a batch from being completed")

    def _run(self, sql: str, params: Params | None = None) -> Result:
        try:
            return self._transaction.execute(sql, params)
        except StatementRefused as error:
            raise not_kept(error) from error


def make_receipts(database: Database, deadline: Deadline | None = None) -> None:
    """Make the table where it is not there, in a transaction of its own. Raises `KeysNotKept`."""
    statements = RECEIPT_STATEMENTS[database.dialect]

    def make() -> bool:
        with database.write(deadline) as transaction:
            if transaction.execute(statements.look).rows:
                return False
            for sql in statements.make:
                transaction.execute(sql)
            transaction.commit()
            return True

    try:
        if not database.run_again(make):
            return
    except StatementRefused as error:
        raise not_kept(error) from error
    logger.info("Created the table %s, which stores idempotency keys for a day.", RECEIPTS)


def not_kept(why: BaseException | str) -> KeysNotKept:
    """Say so to the operator; give back what the client is told."""
    while isinstance(why, BaseException) and why.__cause__ is not None:
        why = why.__cause__  # what the driver says
    logger.error(
        "Idempotency keys cannot be stored because this role cannot create or use the table %s (%s). "
        "docs/settings.md describes how to create it manually and how to disable keys.",
        RECEIPTS,
        str(why).partition("\n")[0],
    )
    return KeysNotKept()
