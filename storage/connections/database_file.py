"""The files of an SQLite database: whether the ones at its paths are still the ones that the server opened.

What a process has open outlives its name: after a removal or a replacement, writes succeed and are lost. SQLite itself
compares only in rollback mode (https://sqlite.org/howtocorrupt.html, section 2.4), so we do, by device and inode.

That is done twice for each batch, and each look costs a small one 1 % of its time: Python lets other threads run meanwhile. So
if the folder has not changed since the last look, its files are not looked at: whatever adds, removes or renames a file
changes the folder's ctime, which nobody can set (https://man7.org/linux/man-pages/man7/inode.7.html).
"""

import logging
import os
import threading
import time

from storage.errors import OutcomeUnknown, Unavailable
from storage.log import note

_SUFFIXES = ("-wal", "-shm")  # https://sqlite.org/tempfiles.html: the write-ahead log, and its index
_ADVICE = "Put the file back, or restart the server."

# A file system may count time in steps of two seconds (FAT): only of a folder that has changed before that is a later change told.
_SETTLED = 3 * 10**9  # nanoseconds
_TRUSTED = 1.0  # seconds, after which the files are looked at again, whatever the folder says

Identity = tuple[int, int]  # device and inode
Folder = tuple[int, int, int]  # device, inode, and when it was changed


class DatabaseFile:
    """An SQLite file that is being served, with its -wal and -shm files."""

    def __init__(self, path: str) -> None:
        """Take an absolute path, as the operator has named it: it may be a symbolic link."""
        self._path = path
        self._folder = os.path.dirname(path)  # noqa: PTH120  # as SQLAlchemy names it
        self._opened: tuple[tuple[str, Identity], ...] = ()
        self._has_own_folder = False  # whether all of the files are in that folder
        self._seen: Folder | None = None  # what the folder was at the last look at the files, if it can be compared
        self._until = 0.0  # when they are looked at again; as `time.monotonic` counts
        self._noticed: str | None = None  # what was wrong at the last look
        self._noticing = threading.Lock()

    def remember(self, real_path: str) -> None:
        """Remember the current files as the open ones: some connection has just opened them, and stays open.

        While that connection is open no one removes them in the course of things: SQLite deletes the -wal file only when the
        last connection closes. A file in rollback mode has none.
        """
        found = [(path, identity(path)) for path in (self._path, *(real_path + suffix for suffix in _SUFFIXES))]
        self._opened = tuple((path, its) for path, its in found if its is not None)
        self._has_own_folder = os.name == "posix" and not os.path.islink(self._path)  # noqa: PTH114  # as above

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
        now = time.monotonic()
        folder: Folder | None = None
        if self._has_own_folder and (self._seen is not None or now >= self._until):
            folder = _folder_at(self._folder)
            if folder is not None and folder == self._seen and now < self._until:
                return None
        why = self._why_lost()
        # Whatever changes from here on is later than `folder`, which was looked at before the files.
        is_settled = folder is not None and why is None and time.time_ns() - folder[2] > _SETTLED
        self._seen, self._until = folder if is_settled else None, now + _TRUSTED
        return why

    def _why_lost(self) -> str | None:
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


def _folder_at(folder: str) -> Folder | None:
    """Return which folder is at a path, and when it was changed."""
    try:
        found = os.stat(folder)  # noqa: PTH116  # as `_why_lost` does
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def identity(path: str) -> Identity | None:
    """Return the identity of the file at a path; None if it does not exist or cannot be reached. Follows symbolic links."""
    try:
        found = os.stat(path)  # noqa: PTH116  # as `why_lost` does
    except OSError:
        return None
    return found.st_dev, found.st_ino
