"""What runs here: ``python -m cyto_kedro.runners.versions`` prints it as JSON.

A driver calls it inside a container before it sends work there.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[1]
#: Libraries whose versions may change results.
_LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-image",
    "pandas",
    "numba",
    "antspyx",
    "laptrack",
)


def versions() -> dict[str, Any]:
    """Versions of the project, its sources, Kedro, Python and numerical libraries.

    ``code`` is a hash of the package's sources: two states of a checkout have the same
    version number.
    """
    return {
        "cyto_kedro": _version("cyto-kedro"),
        "code": _code(),
        "kedro": _version("kedro"),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Print the versions; fails where a worker could not be imported."""
    from cyto_kedro.runners import worker

    found = versions() | {"worker": worker.__name__}
    # A line of its own: libraries greet on standard output.
    sys.stdout.write("\n" + json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
