"""The package ants, held to one thread and a seed, with a folder of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_THREADS = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"
_SEED = "ANTS_RANDOM_SEED"


def library() -> Any:
    """The package, whose import takes seconds.

    ITK reads its number of threads when it first works; its sums depend on it in the
    last digits, and frames are spread over threads here anyway.
    """
    os.environ.setdefault(_THREADS, "1")
    import ants

    return ants


@contextmanager
def reproducible(seed: int) -> Iterator[Path]:
    """A private folder, removed in the end, while ANTs draws from one seed.

    ``ants.registration`` ignores its own ``random_seed``; the library reads these
    variables of the environment in each call. They are put back as they were.
    """
    wanted = {_THREADS: "1", _SEED: str(seed)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with tempfile.TemporaryDirectory(prefix="cyto_kedro_ants_") as folder:
            yield Path(folder)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
