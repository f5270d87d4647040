"""The program: starts, configures, guards the door.

The checkout's packages `schema`, `resolvers` and `storage` are imported by those names everywhere; in a wheel they lie
inside this package. Either way the folder that holds them goes first on the path, also in worker processes.
"""

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_HOME = str(_PACKAGE if (_PACKAGE / "schema").is_dir() else _PACKAGE.parent)
if _HOME not in sys.path[:1]:
    sys.path.insert(0, _HOME)
