"""`tools/notebook_pages.py`, which is no part of a package."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from project import REPOSITORY


def _load() -> ModuleType:
    path = REPOSITORY / "tools" / "notebook_pages.py"
    spec = importlib.util.spec_from_file_location("notebook_pages", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = _load()
