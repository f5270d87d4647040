"""What graphql-core says of a request that it refuses: in the words of JSON where it has Python's, and which value is meant."""

import re

_NOT_NULL = re.compile(r"( type '[\w!\[\]]+') not to be None\.$")
# What it says of a variable's value. Nothing before the end of the match is the client's own text.
_VALUE = re.compile(r"Variable '\$(?P<name>\w+)' has invalid value(?: at (?P<steps>(?:\.\w+|\[\d+\])+))?: ")
_STEP = re.compile(r"\w+")
# Then, where the value is shown as Python would: words and names of the schema, a colon, and that value with its strings in quotes.
# Anything else, such as a string that was cut in the middle of an escape, is left as it is.
_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_SHOWN = re.compile(rf"""((?:[^'":]|'[\w!\[\]]+')*: )((?:[^'"]|{_TEXT})*)""", re.DOTALL)
_WORD = re.compile(rf"{_TEXT}|\b(?:None|True|False)\b", re.DOTALL)
_WORDS = {"None": "null", "True": "true", "False": "false"}


def in_words_of_json(message: str) -> str:
    """Say `null` for `None`, and the like; what the client has sent as a text stays as it was."""
    message = _NOT_NULL.sub(r"\1 not to be null.", message)
    told = _VALUE.match(message)
    shown = _SHOWN.fullmatch(message, told.end()) if told else None
    if shown is None:
        return message
    value = _WORD.sub(lambda word: _WORDS.get(word[0], word[0]), shown[2])
    return message[: shown.start(2)] + value


def pointer_into_variables(message: str) -> str | None:
    """Find the value of a variable that is refused, as a JSON Pointer (RFC 6901) into `variables`; None where it is none."""
    told = _VALUE.match(message)
    if told is None:
        return None
    return "/".join(["", told["name"], *_STEP.findall(told["steps"] or "")])  # names of GraphQL need no escapes
