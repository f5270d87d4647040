"""Receipts: the batch of each idempotency key, and its outcome, in a table of our own in the served database.

A receipt is inserted at the start of its batch's own transaction, and its outcome is written at the end. So the receipt
exists if and only if the batch was committed. Another request with the same key waits for that transaction.
"""

import logging
from dataclasses import dataclass

from storage.batch.idempotency.outcome_codec import decode_outcome, encode_outcome
from storage.batch.plan.operations import Outcome
from storage.catalog.model import Catalog
from storage.catalog.reflected import RECEIPTS
from storage.connections.database import Database
from storage.connections.driver_errors import Doubt, Retry, StatementRefused
from storage.connections.transaction import Result
from storage.deadline import Deadline
from storage.errors import IdempotencyKeyReused, KeysNotKept
from storage.session import Session
from storage.sql import RECEIPT_STATEMENTS, Statement

logger = logging.getLogger("partwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The identity of a batch with an idempotency key."""

    key: str
    fingerprint: str  # of its parts
    caller: str = ""  # keys are per caller; there are no callers yet


class NoReceipts(Exception):
    """The table does not exist, or is not ours. It must be created, and the batch run again."""


class Receipts:
    """The receipts, in one session."""

    def __init__(self, session: Session) -> None:
        self._transaction = session.transaction
        self._statements = RECEIPT_STATEMENTS[session.transaction.dialect]

    def claim(self, receipt: Receipt, catalog: Catalog) -> Outcome | None:
        """Insert a receipt and return None; return the stored outcome if the receipt already exists.

        Raises `IdempotencyKeyReused`, `NoReceipts`, `KeysNotKept`, and `Retry` if it has just been deleted for its age.
        """
        own = receipt.caller, receipt.key
        try:
            made = self._transaction.execute(self._statements.claim.given(*own, receipt.fingerprint))
        except StatementRefused as refused:
            if refused.doubt is Doubt.TABLE:
                raise NoReceipts from refused
            raise not_kept(refused) from refused
        if made.count:
            self._run(self._statements.prune)
            return None
        found = self._run(self._statements.read.given(*own)).rows
        if not found:
            raise Retry
        ((fingerprint, outcome),) = found
        if fingerprint != receipt.fingerprint:
            raise IdempotencyKeyReused
        return decode_outcome(outcome, catalog)

    def complete(self, receipt: Receipt, outcome: Outcome) -> None:
        """Store the outcome that the batch has once the transaction is committed."""
        completed = self._statements.complete.given(encode_outcome(outcome.parts), receipt.caller, receipt.key)
        if self._run(completed).count != 1:  # without it the batch would run a second time
            raise not_kept("a trigger or a policy keeps the receipt of a batch from being completed")

    def _run(self, statement: Statement) -> Result:
        try:
            return self._transaction.execute(statement)
        except StatementRefused as error:
            raise not_kept(error) from error


def make_receipts(database: Database, deadline: Deadline | None = None) -> None:
    """Create the table if it does not exist, in a transaction of its own. Raises `KeysNotKept`."""
    statements = RECEIPT_STATEMENTS[database.dialect]

    def make() -> bool:
        with database.write(deadline) as transaction:
            if transaction.execute(statements.look).rows:
                return False
            for statement in statements.make:
                transaction.execute(statement)
            transaction.commit()
            return True

    try:
        if not database.run_again(make):
            return
    except StatementRefused as error:
        raise not_kept(error) from error
    logger.info("Created the table %s, which stores idempotency keys for a day.", RECEIPTS)


def not_kept(why: BaseException | str) -> KeysNotKept:
    """Log the reason for the operator; return the error for the client."""
    while isinstance(why, BaseException) and why.__cause__ is not None:
        why = why.__cause__  # the driver's own error
    logger.error(
        "Idempotency keys cannot be stored because this role cannot create or use the table %s (%s). "
        "docs/settings.md describes how to create it manually and how to disable keys.",
        RECEIPTS,
        str(why).partition("\n")[0],
    )
    return KeysNotKept()
