"""The files of an SQLite database: whether the ones at its paths are still the ones that the server opened.

What a process has open outlives its name: after a removal or a replacement, writes succeed and are lost. SQLite itself
compares only in rollback mode (https://sqlite.org/howtocorrupt.html, section 2.4), so we do, by device and inode.
"""

import logging
import os
import threading

from storage.errors import OutcomeUnknown, Unavailable
from storage.log import note

_SUFFIXES = ("-wal", "-shm")  # https://sqlite.org/tempfiles.html: the write-ahead log, and its index
_ADVICE = "Put the file back, or restart the server."

Identity = tuple[int, int]  # device and inode


class DatabaseFile:
    """An SQLite file that is being served, with its -wal and -shm files."""

    def __init__(self, path: str) -> None:
        """Take an absolute path, as the operator has named it: it may be a symbolic link."""
        self._path = path
        self._opened: tuple[tuple[str, Identity], ...] = ()
        self._noticed: str | None = None  # what was wrong at the last look
        self._noticing = threading.Lock()

    def remember(self, real_path: str) -> None:
        """Remember the current files as the open ones: some connection has just opened them, and stays open.

        While that connection is open no one removes them in the course of things: SQLite deletes the -wal file only when the
        last connection closes. A file in rollback mode has none.
        """
        found = [(path, identity(path)) for path in (self._path, *(real_path + suffix for suffix in _SUFFIXES))]
        self._opened = tuple((path, its) for path, its in found if its is not None)

    def require(self) -> None:
        """Make sure that a transaction may begin. Raises `Unavailable`."""
        if self.why_lost() is not None:
            raise Unavailable(
                "The database file, or one that belongs to it, was removed or replaced while the server was running. "
                "Nothing was written. The operator must put the file back, or restart the server."
            )

    def require_after_commit(self) -> None:
        """Make sure that the commit is in the file at this path. Raises `OutcomeUnknown`."""
        if self.why_lost() is not None:
            raise OutcomeUnknown(
                "The database file, or one that belongs to it, was removed or replaced during the request, so the "
                "changes may be lost. The operator must put the file back, or restart the server."
            )

    def why_lost(self) -> str | None:
        """Return which file is missing or was replaced; None if all are those that were opened.

        Logs a line whenever that changes.
        """
        for path, (device, inode) in self._opened:
            try:  # `identity` in place: this runs twice for each batch
                found = os.stat(path)  # noqa: PTH116  # pathlib's takes half as long again
            except OSError:
                return self._lost(path, is_there=False)
            if found.st_ino != inode or found.st_dev != device:
                return self._lost(path, is_there=True)
        if self._noticed is not None:
            self._notice(None)
        return None

    def _lost(self, path: str, *, is_there: bool) -> str:
        why = self._reason(path, is_there=is_there)
        if why != self._noticed:
            self._notice(why)
        return why

    def _reason(self, path: str, *, is_there: bool) -> str:
        what = "The database file" if path == self._path else f"The {path[-4:]} file of the database"
        return f"{what} was {'replaced by another file' if is_there else 'removed or renamed'}. {_ADVICE}"

    def _notice(self, why: str | None) -> None:
        with self._noticing:
            if why == self._noticed:  # another thread has already logged it
                return
            self._noticed = why
        if why is None:
            note(
                "database_file_back",
                "The file is back. Requests are accepted again.",
                level=logging.INFO,
                file=self._path,
            )
        else:
            note("database_file_lost", f"{why} Until then, every request is rejected.", file=self._path)


def identity(path: str) -> Identity | None:
    """Return the identity of the file at a path; None if it does not exist or cannot be reached. Follows symbolic links."""
    try:
        found = os.stat(path)  # noqa: PTH116  # as `why_lost` does
    except OSError:
        return None
    return found.st_dev, found.st_ino
