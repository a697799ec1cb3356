"""StarDist 2D: star-convex nuclei (Schmidt et al. 2018, arXiv:1806.03535).

The network needs TensorFlow; what follows it (non-maximum suppression and rendering of
polygons, :func:`masks_of_polygons`) does not.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.methods.segmentation.learned import (
    check_percentiles,
    require_library,
    scaled_between,
    scaled_parts,
)
from cyto_kedro.methods.segmentation.tiling import PlainParts

_WHERE = "segmentation.<role>.method.model"
_UNPACK = (
    "name the folder of a trained 2D model with config.json and weights (*.h5): what "
    "StarDist writes after training, or an unpacked archive of its model zoo; the name "
    "of a public model alone is not enough, as nothing is downloaded"
)

_USUAL_PX = 60.0  # a large nucleus of the sizes that public models know

_models: dict[tuple[str, int], Any] = {}
# TensorFlow is not asked by two threads at once.
_turn = threading.Lock()


class StarDistOptions(Params):
    """StarDist 2D from a local model folder; needs TensorFlow."""

    name: Literal["stardist"] = "stardist"
    model: str = Field(
        min_length=1,
        description="folder of a trained 2D model for one channel; nothing is "
        "downloaded",
    )
    prob_threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="least object probability; null = as optimised with the model",
    )
    nms_threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="overlap above which two polygons are one cell; null = as "
        "optimised with the model",
    )
    percentiles: Annotated[tuple[float, float], AfterValidator(check_percentiles)] = (
        Field(
            default=(1.0, 99.8),
            description="percentiles of each frame that become 0 and 1 (%)",
        )
    )

    @property
    def folder(self) -> Path:
        """The model folder."""
        return Path(self.model).expanduser().absolute()

    @property
    def input_files(self) -> tuple[Path, ...]:
        """The model folder."""
        return (self.folder,)

    @property
    def libraries(self) -> tuple[str, ...]:
        """What the results depend on beyond the core."""
        return "stardist", "tensorflow"

    def check_ready(self) -> None:
        """Raise a ConfigError unless the folder holds a fitting model."""
        require_model(self.folder)


def require_model(folder: Path) -> dict[str, Any]:
    """The configuration of a StarDist model.

    Raises:
        ConfigError: The folder, its configuration or its weights are missing, or the
            model is not for 2D images of one channel.
    """
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"This is no folder of a StarDist model: {exc}",
            where=f"{_WHERE}: {folder}",
            fix=_UNPACK,
        ) from exc
    # Without any, StarDist would go on with random weights.
    if not [*folder.glob("*.h5"), *folder.glob("*.hdf5")]:
        raise ConfigError(
            "The StarDist model has no weights (*.h5)",
            where=f"{_WHERE}: {folder}",
            fix=_UNPACK,
        )
    if config.get("n_dim") != 2 or config.get("n_channel_in") != 1:
        raise ConfigError(
            f"This StarDist model is for {config.get('n_dim')}D images of "
            f"{config.get('n_channel_in')} channels; a role has one 2D image",
            where=f"{_WHERE}: {folder}",
            fix="use a 2D model for one channel, such as 2D_versatile_fluo",
        )
    return config


def build(
    options: StarDistOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], np.ndarray]:
    """A function from a YX image to YX uint32 masks.

    Args:
        options: The method's options.
        spacing_um: Unused: the network works on pixels as they are.

    Raises:
        ConfigError: A library or the model is missing. The network is loaded with the
            first frame that is not flat.
    """
    masks = _ready(options)

    def segment(image: np.ndarray) -> np.ndarray:
        scaled = scaled_between(image, options.percentiles)
        return np.zeros(image.shape, np.uint32) if scaled is None else masks(scaled)

    return segment


def by_parts(
    options: StarDistOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], PlainParts]:
    """A function that scales a YX frame as a whole and makes it ready for tiles."""
    masks = _ready(options)

    def parts(image: np.ndarray) -> PlainParts:
        scaled = scaled_between(image, options.percentiles)
        return scaled_parts(scaled, image, masks, _USUAL_PX)

    return parts


def _ready(options: StarDistOptions) -> Callable[[np.ndarray], np.ndarray]:
    """From a frame with grey values as the network expects them to masks."""
    require_library("stardist", "stardist", 'pip install -e ".[stardist]"')
    require_library("tensorflow", "stardist", "pip install tensorflow")
    folder = options.folder
    require_model(folder)

    def masks(scaled: np.ndarray) -> np.ndarray:
        with _turn:
            model = _model_of(folder)
            # A model of several classes gives a third answer.
            prob, dist = model.predict(scaled, axes="YX")[:2]
        own = model.thresholds
        return masks_of_polygons(
            prob,
            dist,
            scaled.shape,
            grid=tuple(model.config.grid),
            prob_threshold=options.prob_threshold or float(own.prob),
            nms_threshold=options.nms_threshold or float(own.nms),
        )

    return masks


def masks_of_polygons(
    prob: np.ndarray,
    dist: np.ndarray,
    shape: tuple[int, ...],
    *,
    grid: tuple[int, int] = (1, 1),
    prob_threshold: float = 0.5,
    nms_threshold: float = 0.4,
) -> np.ndarray:
    """Masks from the two answers of the network.

    Args:
        prob: (Y/gy, X/gx) object probability.
        dist: (Y/gy, X/gx, rays) distance to the edge along each ray (px).
        shape: (Y, X) of the frame.
        grid: (gy, gx) px between two points of ``prob``.
        prob_threshold: Points below it are no candidates.
        nms_threshold: A polygon that a likelier one overlaps by more is dropped.

    Returns:
        YX uint32 masks; where polygons overlap the likelier one is on top.
    """
    from stardist.geometry import polygons_to_label
    from stardist.nms import non_maximum_suppression

    if not (prob > prob_threshold).any():
        return np.zeros(shape, np.uint32)
    points, scores, rays = non_maximum_suppression(
        dist, prob, grid=grid, prob_thresh=prob_threshold, nms_thresh=nms_threshold
    )
    labels: np.ndarray = polygons_to_label(rays, points, shape, prob=scores)
    return labels.astype(np.uint32)


def _model_of(folder: Path) -> Any:
    from stardist.models import StarDist2D

    key = (str(folder), (folder / "config.json").stat().st_mtime_ns)
    if key not in _models:
        _models[key] = StarDist2D(None, name=folder.name, basedir=str(folder.parent))
    return _models[key]
