"""The version of the code behind a node: a hash of the modules that it can reach."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = _ROOT.name
_NUMERICS = ("numpy", "scipy", "scikit-image", "pandas", "laptrack", "antspyx", "numba")


@cache
def code_version(module: str) -> str:
    """Hash of a module's sources, of all that it imports of ours, and of the libraries.

    Imports are read from the source text, those inside functions included, so that an
    edit of the report does not make the masks outdated. How data are stored counts too.

    Args:
        module: Dotted name of the module that defines a node function.
    """
    digest = hashlib.sha256()
    seen: set[Path] = set()
    todo = [*_files_of(module), *sorted((_ROOT / "datasets").glob("*.py"))]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        todo += [found for name in _imports(path) for found in _files_of(name)]
    for path in sorted(seen):
        digest.update(path.relative_to(_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    for package in _NUMERICS:
        digest.update(f"{package}={_version(package)}".encode())
    return digest.hexdigest()


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Dotted names that a file imports from this package; `a.b` and `a.b.name`."""
    return tuple(_imported(ast.parse(path.read_bytes())))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files_of(name: str) -> list[Path]:
    """The file of a module of this package, or nothing."""
    package, *parts = name.split(".")
    if package != _PACKAGE:
        return []
    stem = _ROOT.joinpath(*parts)
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return [path for path in candidates if path.is_file()]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
