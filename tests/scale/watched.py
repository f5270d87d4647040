"""The program with a look at its event loop: how late it is, measured every 5 ms, and how much memory the process has."""

import asyncio
import json
import os
import time
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from partwise.server.app import make_app
from partwise.service import open_service
from partwise.settings import load_settings

_EVERY = 0.005  # seconds
_PAGE = os.sysconf("SC_PAGE_SIZE")


class _Watched:
    """An application; `/lag` answers the longest lag since it was asked before, in milliseconds, and the memory, in MB."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._due = 0.0
        self._longest = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/lag":
            await self._answer(send)
            return
        await self._app(scope, receive, send)

    async def _answer(self, send: Send) -> None:
        if not self._due:
            self._wait()
        await asyncio.sleep(3 * _EVERY)  # what has just ended is seen, too
        found = json.dumps({"lag": self._longest * 1e3, "memory": _resident()}).encode()
        self._longest = 0.0
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(found))]})
        await send({"type": "http.response.body", "body": found})

    def _wait(self) -> None:
        self._due = time.perf_counter() + _EVERY
        asyncio.get_running_loop().call_later(_EVERY, self._look)

    def _look(self) -> None:
        self._longest = max(self._longest, time.perf_counter() - self._due)
        self._wait()


def _resident() -> float:
    """Read how much memory the process has, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


def create() -> ASGIApp:
    """Make the application; uvicorn calls this by name. The settings come by the environment."""
    settings = load_settings()
    return _Watched(make_app(open_service(settings), settings))
