"""Messages of graphql-core about rejected requests: rewritten to JSON's literals, and parsed for pointers."""

import re

_NOT_NULL = re.compile(r"( type '[\w!\[\]]+') not to be None\.$")
# The beginning of a message about a variable's value. The match does not contain any text of the client.
_VALUE = re.compile(r"Variable '\$(?P<name>\w+)' has invalid value(?: at (?P<steps>(?:\.\w+|\[\d+\])+))?: ")
_STEP = re.compile(r"\w+")
# The rest of the message, if it shows the value in Python's notation: words and names of the schema, a colon, and the
# value with its strings in quotes. Anything else, such as a string that was cut inside an escape, is left unchanged.
_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_SHOWN = re.compile(rf"""((?:[^'":]|'[\w!\[\]]+')*: )((?:[^'"]|{_TEXT})*)""", re.DOTALL)
_WORD = re.compile(rf"{_TEXT}|\b(?:None|True|False)\b", re.DOTALL)
_WORDS = {"None": "null", "True": "true", "False": "false"}


def in_words_of_json(message: str) -> str:
    """Replace Python's literals in a message by JSON's (`null` for `None`, …), except in the client's own text."""
    message = _NOT_NULL.sub(r"\1 not to be null.", message)
    told = _VALUE.match(message)
    shown = _SHOWN.fullmatch(message, told.end()) if told else None
    if shown is None:
        return message
    value = _WORD.sub(lambda word: _WORDS.get(word[0], word[0]), shown[2])
    return message[: shown.start(2)] + value


def pointer_into_variables(message: str) -> str | None:
    """Return the JSON Pointer (RFC 6901) into `variables` of the rejected value; None if there is none."""
    told = _VALUE.match(message)
    if told is None:
        return None
    return "/".join(["", told["name"], *_STEP.findall(told["steps"] or "")])  # names of GraphQL need no escapes
