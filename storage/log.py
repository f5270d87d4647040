"""The log of the engine: one line for each event, with facts but never a value of a row or a secret."""

import logging

logger = logging.getLogger("partwise")


def note(event: str, message: str = "", /, *, level: int = logging.WARNING, **facts: str | float | None) -> None:
    """Log one event as one line: its name in snake_case, a sentence for the operator, and its facts as `name=value`.

    Facts are names, codes and counts: SQLSTATEs, tables, roles, settings. Text is quoted and escaped, so that a line stays a
    line; facts that are None are left out. Values of rows, of requests and of settings that may hold a password are never facts.
    """
    told = [f"{name}={value!r}" for name, value in facts.items() if value is not None]
    sentence = f"{event}: {message}" if message else event
    logger.log(level, "%s", " ".join([sentence, *told]))
