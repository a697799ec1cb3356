"""A StarDist network that makes no mistake on bright blobs.

It stands in for the one part that needs TensorFlow and trained weights; StarDist's own
suppression and rendering of polygons run as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np


class IdealStarDist:
    """Answers as the network would."""

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


def model_folder(folder: Path) -> Path:
    """Make a folder that looks like a trained StarDist model."""
    folder.mkdir(parents=True)
    config = {"n_dim": 2, "n_channel_in": 1, "grid": [2, 2], "n_rays": 32}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "weights_best.h5").write_bytes(b"weights")
    return folder


def put_in_place(module: ModuleType, setattr=setattr) -> None:
    """Let our StarDist module use it, and do without TensorFlow."""
    require = module.require_library

    def without_tensorflow(library: str, method: str, fix: str) -> None:
        if library != "tensorflow":
            require(library, method, fix)

    setattr(module, "require_library", without_tensorflow)
    setattr(module, "_model_of", lambda folder: IdealStarDist())
