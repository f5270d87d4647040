"""Cache of parsed and valid documents, by their text, with their compiled operations and costs.

Several threads access it, because large requests are processed outside the event loop
(partwise/workers/large_requests.py).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from graphql import DocumentNode, OperationDefinitionNode

from resolvers.compiled.compiler import Compiled, Compiler
from resolvers.documents.limits import Limits
from resolvers.execution.cost import Cost

MAX_DOCUMENTS = 1_000
MAX_LENGTH = 16_000  # characters of one: a longer one contains its values as literals, and is not sent again
MAX_TOTAL = 400_000  # characters of all: each takes about 90 bytes when parsed


@dataclass(slots=True, kw_only=True)
class Document:
    """A valid document, with its compiled operations and their costs."""

    node: DocumentNode
    compiled: dict[str | None, Compiled | None] = field(default_factory=dict)  # by the name of the operation
    costs: dict[tuple[str | None, Limits], Cost] = field(default_factory=dict)  # of operations whose cost does not vary

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation to execute; None if there is no such operation."""
        operations = [each for each in self.node.definitions if isinstance(each, OperationDefinitionNode)]
        if name is None:
            return operations[0] if len(operations) == 1 else None
        return next((each for each in operations if each.name is not None and each.name.value == name), None)


class Documents:
    """An LRU cache of documents, limited by number and by total length."""

    def __init__(
        self, compiler: Compiler, *, most: int = MAX_DOCUMENTS, longest: int = MAX_LENGTH, total: int = MAX_TOTAL
    ) -> None:
        self._compiler = compiler
        self._most, self._longest, self._total = most, longest, total
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._length = 0  # characters of all that are kept

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, text: str) -> DocumentNode | None:
        """Return a cached document; None if it is not cached."""
        found = self._find(text)
        return None if found is None else found.node

    def keep(self, text: str, node: DocumentNode) -> None:
        """Add a valid document, and evict the least recently used ones if a limit is exceeded."""
        if len(text) > self._longest:
            return
        with self._lock:
            if text in self._kept:
                return
            self._kept[text] = Document(node=node)
            self._length += len(text)
            while len(self._kept) > self._most or self._length > self._total:
                gone, _ = self._kept.popitem(last=False)
                self._length -= len(gone)

    def compiled(self, text: str, name: str | None) -> Compiled | None:
        """Return an operation, compiled on its first use; None if it is not cached or not compilable."""
        document = self._find(text)
        if document is None:
            return None
        if name not in document.compiled:
            operation = document.operation(name)
            if operation is None:
                return None
            with self._lock:  # the compiler caches types that it creates from the schema
                document.compiled[name] = self._compiler.compile(document.node, operation)
        return document.compiled[name]

    def cost(self, text: str, name: str | None, limits: Limits, count: Callable[[], Cost]) -> Cost:
        """Return the cost of an operation. It is counted again if the document is not cached or the cost varies."""
        document = self._find(text)
        found = None if document is None else document.costs.get((name, limits))
        if found is not None:
            return found
        cost = count()
        if document is not None and not cost.varies:
            document.costs[name, limits] = cost
        return cost

    def _find(self, text: str) -> Document | None:
        with self._lock:
            found = self._kept.get(text)
            if found is not None:
                self._kept.move_to_end(text)
            return found
