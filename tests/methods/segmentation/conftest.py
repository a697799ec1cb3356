"""The small Cellpose network, trained once per test session."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock

from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.segmentation import stardist as our_stardist
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


class IdealStarDist:
    """Answers as a StarDist network that makes no mistake on bright blobs would.

    It stands in for the one part that needs TensorFlow.
    """

    config = SimpleNamespace(grid=(2, 2))
    thresholds = SimpleNamespace(prob=0.5, nms=0.4)

    def predict(self, image, axes):
        """(probability, distances) on every second pixel."""
        from scipy import ndimage as ndi
        from stardist.geometry import star_dist
        from stardist.utils import edt_prob

        assert axes == "YX"
        assert image.dtype == np.float32
        blobs = ndi.gaussian_filter(image, 2) > 0.5
        labels, _ = ndi.label(ndi.binary_opening(blobs, iterations=3))
        return edt_prob(labels)[::2, ::2], star_dist(labels, 32)[::2, ::2]


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder that looks like a trained StarDist model."""
    folder = tmp_path / "nuclei"
    folder.mkdir()
    config = {"n_dim": 2, "n_channel_in": 1, "grid": [2, 2], "n_rays": 32}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "weights_best.h5").write_bytes(b"weights")
    return folder


@pytest.fixture
def ideal_stardist(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder whose network is the ideal one."""
    pytest.importorskip("stardist", reason="the extra 'stardist' is not installed")
    require = our_stardist.require_library

    def without_tensorflow(module: str, method: str, fix: str) -> None:
        if module != "tensorflow":
            require(module, method, fix)

    monkeypatch.setattr(our_stardist, "require_library", without_tensorflow)
    monkeypatch.setattr(our_stardist, "_model_of", lambda folder: IdealStarDist())
    return model_folder
