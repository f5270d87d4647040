"""The files of an SQLite database, and the check that they are still those that the server opened.

An open file outlives its name: after it is removed or replaced, writes succeed and are lost. SQLite itself
compares only in rollback mode (https://sqlite.org/howtocorrupt.html, section 2.4). So we compare device and inode.

That is done twice for each batch. Each check costs 1 % of the time of a small batch, because Python runs other threads
meanwhile. So if the folder has not changed since the last check, its files are not checked: adding, removing or
renaming a file changes the folder's ctime, which cannot be set (https://man7.org/linux/man-pages/man7/inode.7.html).
"""

import logging
import os
import threading
import time

from storage.errors import OutcomeUnknown, Unavailable
from storage.log import note

_SUFFIXES = ("-wal", "-shm")  # https://sqlite.org/tempfiles.html: the write-ahead log, and its index
_ADVICE = "Put the file back, or restart the server."

# A file system may store times in steps of two seconds (FAT), so a later change is only detected if the last one is
# older.
_SETTLED = 3 * 10**9  # nanoseconds
_TRUSTED = 1.0  # seconds, after which the files are checked again, even if the folder has not changed

Identity = tuple[int, int]  # device and inode
Folder = tuple[int, int, int]  # device, inode, and time of the last change


class DatabaseFile:
    """An SQLite file that is being served, with its -wal and -shm files."""

    def __init__(self, path: str) -> None:
        """Store an absolute path as the operator configured it: it may be a symbolic link."""
        self._path = path
        self._folder = os.path.dirname(path)  # noqa: PTH120  # as SQLAlchemy resolves it
        self._opened: tuple[tuple[str, Identity], ...] = ()
        self._has_own_folder = False  # True if all of the files are in that folder
        self._seen: Folder | None = None  # the folder at the last check of the files, if it can be compared
        self._until = 0.0  # time of the next check of the files, on the clock of `time.monotonic`
        self._noticed: str | None = None  # the reason that was logged last
        self._noticing = threading.Lock()

    def remember(self, real_path: str) -> None:
        """Record the current files as the open ones. A connection has just opened them, and stays open.

        While that connection is open, nothing removes them in normal operation: SQLite deletes the -wal file only when
        the last connection closes. A file in rollback mode does not have one.
        """
        found = [(path, identity(path)) for path in (self._path, *(real_path + suffix for suffix in _SUFFIXES))]
        self._opened = tuple((path, its) for path, its in found if its is not None)
        self._has_own_folder = os.name == "posix" and not os.path.islink(self._path)  # noqa: PTH114  # as above

    def require(self) -> None:
        """Check that a transaction may begin. Raises `Unavailable`."""
        if self.why_lost() is not None:
            raise Unavailable(
                "The database file, or one that belongs to it, was removed or replaced while the server was running. "
                "Nothing was written. The operator must put the file back, or restart the server."
            )

    def require_after_commit(self) -> None:
        """Check that the commit is in the file at this path. Raises `OutcomeUnknown`."""
        if self.why_lost() is not None:
            raise OutcomeUnknown(
                "The database file, or one that belongs to it, was removed or replaced during the request, so the "
                "changes may be lost. The operator must put the file back, or restart the server."
            )

    def why_lost(self) -> str | None:
        """Return which file is missing or was replaced, or None if all are those that were opened.

        Logs a line whenever the result changes.
        """
        now = time.monotonic()
        folder: Folder | None = None
        if self._has_own_folder and (self._seen is not None or now >= self._until):
            folder = _folder_at(self._folder)
            if folder is not None and folder == self._seen and now < self._until:
                return None
        why = self._why_lost()
        # Any later change has a later ctime than `folder`, which was read before the files.
        is_settled = folder is not None and why is None and time.time_ns() - folder[2] > _SETTLED
        self._seen, self._until = folder if is_settled else None, now + _TRUSTED
        return why

    def _why_lost(self) -> str | None:
        for path, (device, inode) in self._opened:
            try:  # `identity` inlined: this runs twice for each batch
                found = os.stat(path)  # noqa: PTH116  # pathlib's takes 1.5 times as long
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
    """Return the folder at a path with the time of its last change, or None if it cannot be reached."""
    try:
        found = os.stat(folder)  # noqa: PTH116  # as `_why_lost` does
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def identity(path: str) -> Identity | None:
    """Return the identity of the file at a path, or None if it does not exist or cannot be reached.

    Follows symbolic links.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  # as `why_lost` does
    except OSError:
        return None
    return found.st_dev, found.st_ino
