"""Profiles a workload: samples all threads of a server in this process, a thousand times per second."""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from starlette.types import ASGIApp

from benchmarks.cases import CASES
from benchmarks.databases import Database
from benchmarks.servers import ROOT
from benchmarks.targets import PARTWISE
from partwise.server.app import make_app
from partwise.service import open_service
from partwise.settings import load_settings

_INTERVAL = 0.001  # seconds
_SWITCH = 0.0001  # seconds that a thread may continue to run while the sampler waits
_SHOWN = 25  # functions in each table
_WAITS = ("selectors.py", "threading.py", "queue.py")  # files in which idle threads wait


class Sampler:
    """Counts the functions that run, and those on the stack."""

    def __init__(self) -> None:
        self.own: Counter[CodeType] = Counter()
        self.all: Counter[CodeType] = Counter()
        self.samples = 0

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Sample all other threads until the block ends."""
        done = threading.Event()
        thread = threading.Thread(target=self._sample, args=(done,))
        usual = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            sys.setswitchinterval(usual)

    def _sample(self, done: threading.Event) -> None:
        me = threading.get_ident()
        while not done.is_set():
            time.sleep(_INTERVAL)
            for thread, frame in sys._current_frames().items():  # noqa: SLF001  # documented, for debuggers like this
                if thread != me and not frame.f_code.co_filename.endswith(_WAITS):
                    self._count(frame)

    def _count(self, frame: FrameType) -> None:
        self.samples += 1
        self.own[frame.f_code] += 1
        on_stack = set()
        above: FrameType | None = frame
        while above is not None and above.f_code.co_filename != __file__:  # the callers of the server are not counted
            on_stack.add(above.f_code)
            above = above.f_back
        self.all.update(on_stack)

    def table(self) -> Iterator[str]:
        """Yield the lines of two tables: all functions by own time, and those of Partwise by total time."""
        ours = Counter({code: total for code, total in self.all.items() if code.co_filename.startswith(str(ROOT))})
        for title, order in (("By own time", self.own), ("Partwise's own, by total time", ours)):
            yield f"\n{title}\n   own  total"
            yield from (self._line(code) for code, _ in order.most_common(_SHOWN))

    def _line(self, code: CodeType) -> str:
        own, total = (100 * counted[code] / self.samples for counted in (self.own, self.all))
        place = code.co_filename.removeprefix(f"{ROOT}/").rpartition("site-packages/")[2]
        return f"{own:5.1f}% {total:5.1f}%  {code.co_qualname}  {place}:{code.co_firstlineno}"


def profile(database: Database, workload: str, repeats: int) -> Iterator[str]:
    """Run a workload `repeats` times; yield the lines of the report."""
    case = next(case for case in CASES if case.workload == workload)
    settings = load_settings(database_url=database.url, resources={"employee": {"version": "version"}})
    service = open_service(settings)
    app = make_app(service, settings)
    sampler = Sampler()
    elapsed = []
    with asyncio.Runner() as runner:
        for turn in range(repeats + 1):
            work = case.work(turn)
            path, body = PARTWISE.path(work), PARTWISE.to_body(work, case.selection)
            database.reset()
            if not turn:
                runner.run(_ask(app, path, body))  # the first run, with its one-time work, is not sampled
                continue
            with sampler.sampling():
                start = time.perf_counter()
                runner.run(_ask(app, path, body))
                elapsed.append(time.perf_counter() - start)
    service.engine.database.close()
    yield f"{case.workload}, {case.title}: {sum(elapsed) / repeats * 1_000:.1f} ms each, without HTTP; {sampler.samples} samples"
    yield from sampler.table()


async def _ask(app: ASGIApp, path: str, body: bytes) -> None:
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}

    to_receive = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not to_receive:  # the client stays connected
            await asyncio.Event().wait()
        return to_receive.pop()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:  # noqa: PLR2004  # an HTTP status
            raise RuntimeError(f"Partwise answered {message['status']}.")

    await app(scope, receive, send)
