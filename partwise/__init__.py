"""The program: command line, settings, HTTP server and worker threads.

The packages `schema`, `resolvers` and `storage` of the checkout are imported by these names everywhere. In a wheel they
are inside this package. In both cases the folder that contains them becomes the first entry of `sys.path`, also in
worker processes.
"""

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_HOME = str(_PACKAGE if (_PACKAGE / "schema").is_dir() else _PACKAGE.parent)
if _HOME not in sys.path[:1]:
    sys.path.insert(0, _HOME)
