"""The small Cellpose network, trained once per test session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from cyto_kedro.core.parallel import set_workers
from small_cellpose import MODEL, import_cellpose, small_encoder, train


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small network; tests are skipped where Cellpose is absent."""
    import_cellpose()
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # one training for all workers
    with FileLock(folder / "training.lock"):
        made = folder / "models" / MODEL
        return made if made.exists() else train(folder)


@pytest.fixture
def small_cellpose(small_weights: Path) -> Iterator[Path]:
    """The weights, in a process where Cellpose builds the small network for them."""
    from cyto_kedro.methods.segmentation._cellpose_model import forget_models

    set_workers(1)
    forget_models()
    try:
        with small_encoder():
            yield small_weights
    finally:
        forget_models()
        set_workers(None)
