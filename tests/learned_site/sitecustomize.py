"""Small networks in every Python process that has this folder in PYTHONPATH.

Workers in containers and jobs are started by name, so no wrapper around the command
line reaches them. Cellpose builds the small encoder of `small_cellpose`; StarDist gets
the network of `ideal_stardist`. Nothing is imported before it is needed.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

_FOREVER = ExitStack()
sys.path.append(str(Path(__file__).parents[1]))


def _cellpose(module: ModuleType) -> None:
    from small_cellpose import import_cellpose, small_encoder

    import_cellpose()
    _FOREVER.enter_context(small_encoder())


def _stardist(module: ModuleType) -> None:
    from ideal_stardist import put_in_place

    put_in_place(module)


_PREFIX = "cyto_kedro.methods.segmentation."
_CHANGES: dict[str, Callable[[ModuleType], None]] = {
    f"{_PREFIX}_cellpose_model": _cellpose,
    f"{_PREFIX}stardist": _stardist,
}


class _Finder(importlib.abc.MetaPathFinder):
    """Lets a module be imported as usual, and changes it afterwards."""

    def find_spec(self, fullname, path=None, target=None):
        change = _CHANGES.pop(fullname, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(fullname)
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change
        return spec


sys.meta_path.insert(0, _Finder())
