"""Documents that requests refer to instead of sending them.

Persisted documents come from the settings (https://graphql.github.io/graphql-over-http/draft/, appendix A). Automatic
persisted queries, as in Apollo, are documents that clients have sent with their hash
(https://www.apollographql.com/docs/apollo-server/performance/apq).
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import strawberry
from graphql import GraphQLError, parse, validate

from partwise.settings import Settings, SettingsError
from resolvers.documents.document_limits import RULES
from storage.json_text import decode_json

_MOST = 1_000  # cached documents that clients have sent
_TOTAL = 4_000_000  # characters of all cached documents
_SHA256 = "sha256:"
_MOST_FAULTS = 10  # reported at startup
_APOLLO = "apollo-persisted-query-manifest"


class BadReference(Exception):
    """A reference to a document that is malformed, or that does not match the document in the request."""


class NotServed(Exception):
    """A document that the server does not run, or does not know."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Persisted:
    """The documents that requests can refer to.

    `documents` are those from the settings, by their identifiers. If `only` is True, no other documents run.
    """

    def __init__(
        self, documents: Mapping[str, str], *, only: bool = False, most: int = _MOST, total: int = _TOTAL
    ) -> None:
        by_name = {name.removeprefix(_SHA256): text for name, text in documents.items()}
        self._documents = {**{_hash(text): text for text in documents.values()}, **by_name}
        self._only = frozenset(documents.values()) if only else None
        self._most, self._total = most, total
        self._lock = threading.Lock()  # large requests run in other threads
        self._sent: OrderedDict[str, str] = OrderedDict()  # by hash, the most recently used last
        self._length = 0  # characters of these documents

    @property
    def takes_any(self) -> bool:
        """Return True if a client may send a document of its own."""
        return self._only is None

    def find(self, query: str | None, document_id: str | None, extensions: Mapping[str, Any] | None) -> str | None:
        """Return the text of the document that a request sends or refers to; None if it does neither.

        Raises `BadReference` and `NotServed`.
        """
        if query and document_id is None and not extensions and self._only is None:
            return query
        sha256_hash = _sha256_hash(extensions)
        text = self._named(query or None, document_id, sha256_hash)
        if text is not None and self._only is not None and text not in self._only:
            raise NotServed(
                403,
                "PERSISTED_QUERY_REQUIRED",
                "This server accepts only persisted documents, and this is not one of them. Specify one in documentId.",
            )
        if sha256_hash is not None and query:
            self._keep(sha256_hash, query)
        return text

    def _named(self, query: str | None, document_id: str | None, sha256_hash: str | None) -> str | None:
        if query is None:
            return self._look_up(document_id, sha256_hash)
        for name, where in ((document_id, "documentId"), (sha256_hash, "extensions.persistedQuery.sha256Hash")):
            bare = (name or "").removeprefix(_SHA256)
            if name is not None and self._documents.get(bare) != query and bare != _hash(query):
                raise BadReference(f"{where} does not match the document in query.")
        return query

    def _look_up(self, document_id: str | None, sha256_hash: str | None) -> str | None:
        name = sha256_hash if document_id is None else document_id
        if name is None:
            return None
        bare = name.removeprefix(_SHA256)
        with self._lock:
            found = self._documents.get(bare) or self._sent.get(bare)
            if bare in self._sent:
                self._sent.move_to_end(bare)
        if found is None:
            message = "PersistedQueryNotFound" if document_id is None else "No persisted document has this documentId."
            raise NotServed(400, "PERSISTED_QUERY_NOT_FOUND", message)
        return found

    def _keep(self, sha256_hash: str, text: str) -> None:
        """Cache a document that was sent with its hash, and evict the least recently used ones."""
        if sha256_hash in self._documents or len(text) > self._total:
            return
        with self._lock:
            if sha256_hash not in self._sent:
                self._sent[sha256_hash] = text
                self._length += len(text)
            self._sent.move_to_end(sha256_hash)
            while len(self._sent) > self._most or self._length > self._total:
                _, gone = self._sent.popitem(last=False)
                self._length -= len(gone)


def _sha256_hash(extensions: Mapping[str, Any] | None) -> str | None:
    match (extensions or {}).get("persistedQuery"):
        case None:
            return None
        case {"version": 1, "sha256Hash": str(found)} if found:
            return found.removeprefix(_SHA256)
    raise BadReference('The member extensions.persistedQuery must be {"version": 1, "sha256Hash": "…"}.')


def _hash(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


# --- documents from the settings


def open_documents(settings: Settings, schema: strawberry.Schema) -> Persisted:
    """Read the persisted documents of the settings and validate them against the schema. Raises `SettingsError`."""
    place = settings.persisted_documents
    if place is None:
        if settings.only_persisted:
            raise SettingsError(
                "only_persisted requires persisted_documents, because otherwise every document would be rejected. "
                "Set persisted_documents."
            )
        return Persisted({})
    try:
        named = _read_folder(place) if place.is_dir() else _read_manifest(place)
    except OSError as error:
        raise SettingsError(f"The persisted documents in {place} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"The persisted documents in {place} are not valid UTF-8.") from None
    if not named:
        raise SettingsError(f"There are no persisted documents in {place}.")
    faults = [
        f"The persisted document {name} {fault}" for name, text in named.items() if (fault := _fault(text, schema))
    ]
    if faults:
        more = [f"… and {len(faults) - _MOST_FAULTS} more."] if len(faults) > _MOST_FAULTS else []
        raise SettingsError("\n".join([*faults[:_MOST_FAULTS], *more]))
    by_file = place.is_dir()
    return Persisted(
        {_hash(text) if by_file else name: text for name, text in named.items()}, only=settings.only_persisted
    )


def _read_folder(folder: Path) -> dict[str, str]:
    """Read the files of a folder and its subfolders, by their relative paths.

    Line endings are preserved, because the hash is that of the bytes.
    """
    files = sorted(path for path in folder.rglob("*.graphql") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes().decode() for path in files}


def _read_manifest(file: Path) -> dict[str, str]:
    """Read a manifest `{id: text}`, as graphql-codegen and relay-compiler write it, or Apollo's manifest."""
    try:
        found = decode_json(file.read_bytes().decode())
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise SettingsError(f"The manifest {file} of persisted documents is not valid JSON.") from None
    if isinstance(found, dict) and found.get("format") == _APOLLO:
        found = _of_apollo(found.get("operations"))
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise SettingsError(
            f'The manifest {file} of persisted documents must be an object of texts: {{"id": "query …"}}.'
        )
    return found


def _of_apollo(operations: Any) -> dict[str, Any] | None:
    match operations:
        case [*listed] if all(isinstance(each, dict) and isinstance(each.get("id"), str) for each in listed):
            return {each["id"]: each.get("body") for each in listed}
    return None


def _fault(text: str, schema: strawberry.Schema) -> str | None:
    """Return the reason why a document can never run, or None."""
    try:
        errors = validate(schema._schema, parse(text), RULES)  # noqa: SLF001  # Strawberry has no public access to it
    except GraphQLError as error:
        errors = [error]
    except RecursionError:
        return "is nested too deep."
    return " ".join(f"is wrong{_place(error)}: {error.message}" for error in errors[:1]) or None


def _place(error: GraphQLError) -> str:
    return f" in line {error.locations[0].line}" if error.locations else ""
