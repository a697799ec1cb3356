"""The small networks, in the process of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ideal_stardist as ideal_stardist_model
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.segmentation import stardist as our_stardist
from small_cellpose import small_encoder


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


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder that looks like a trained StarDist model."""
    return ideal_stardist_model.model_folder(tmp_path / "nuclei")


@pytest.fixture
def ideal_stardist(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder whose network is the ideal one."""
    pytest.importorskip("stardist", reason="the extra 'stardist' is not installed")
    ideal_stardist_model.put_in_place(our_stardist, monkeypatch.setattr)
    return model_folder
