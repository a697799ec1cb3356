"""Cellpose 4: one transformer for nuclei and whole cells of any kind.

Pachitariu, Rariden & Stringer 2025 (Cellpose-SAM, doi:10.1101/2025.04.28.651001);
flows as in Stringer et al. 2021 (doi:10.1038/s41592-020-01018-x). The library's own
loading, tiling and dynamics are used as they are; this module gives it exact grey
values, keeps one model per process, and lets one frame at a time onto a device.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.segmentation.learned import (
    check_percentiles,
    require_library,
    scaled_between,
    scaled_parts,
)
from cyto_kedro.methods.segmentation.tiling import PlainParts
from cyto_kedro.methods.segmentation.weights import (
    check_name,
    require_weights,
    weights_path,
)

# YAML 1.1 reads a bare `on` or `off` as true or false.
_ON_OFF = {True: "on", False: "off"}
# The network sees 256 px at once and is padded to that; below a few pixels its
# post-processing drops axes.
_LEAST_SIDE = 16
_USUAL_PX = 60.0  # a large cell, where no diameter is given


class CellposeOptions(Params):
    """Cellpose 4 with built-in or own weights; wants a GPU."""

    name: Literal["cellpose"] = "cellpose"
    model: Annotated[str, AfterValidator(check_name)] = Field(
        default="cpsam_v2",
        min_length=1,
        description="cpsam_v2, cpsam, or the path of weights trained with Cellpose 4",
    )
    diameter_um: float | None = Field(
        default=None,
        gt=0,
        description="typical cell diameter (um), scaled to the 30 px that the network "
        "knows best; null = the image as it is (cells of about 8 to 120 px)",
    )
    cellprob_threshold: float = Field(
        default=0.0,
        ge=-6,
        le=6,
        description="least cell score (logit) of a pixel; lower finds more and larger",
    )
    flow_threshold: float = Field(
        default=0.4,
        ge=0,
        description="largest mean squared error of a mask's flows; higher keeps odder "
        "shapes, 0 keeps all",
    )
    niter: int | None = Field(
        default=None,
        ge=1,
        description="steps of the flow dynamics; null = 200, more for larger cells",
    )
    scaling: Literal["frame", "none"] = Field(
        default="frame",
        description="frame = percentiles of each frame to 0 and 1; none = grey values "
        "as preprocessing left them, which should be about 0 to 1",
    )
    percentiles: Annotated[tuple[float, float], AfterValidator(check_percentiles)] = (
        Field(default=(1.0, 99.0), description="percentiles for scaling: frame (%)")
    )
    batch_size: int = Field(
        default=8,
        ge=1,
        description="tiles of 256 x 256 px in the network at once; sets GPU memory",
    )
    tile_overlap: float = Field(
        default=0.1, ge=0.05, le=0.5, description="share by which these tiles overlap"
    )
    gpu: Annotated[
        Literal["auto", "on", "off"],
        BeforeValidator(lambda v: _ON_OFF[v] if isinstance(v, bool) else v),
    ] = Field(
        default="auto",
        description="auto = where there is one, on = an error without, off = CPU",
    )
    precision: Literal["auto", "bfloat16", "float32"] = Field(
        default="auto",
        description="arithmetic of the network; auto = bfloat16 on a GPU (Cellpose's "
        "own default), float32 on the CPU",
    )

    @property
    def uses_gpu(self) -> bool:
        """Whether runners should place this work on a GPU."""
        return self.gpu != "off"

    @property
    def input_files(self) -> tuple[Path, ...]:
        """The weights."""
        return (weights_path(self.model),)

    @property
    def libraries(self) -> tuple[str, ...]:
        """What the results depend on beyond the core."""
        return "cellpose", "torch"

    def check_ready(self) -> None:
        """Raise a ConfigError unless the weights lie on this machine."""
        require_weights(self.model)


def build(
    options: CellposeOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], np.ndarray]:
    """A function from a YX image to YX uint32 masks, ids 1..n.

    Raises:
        ConfigError: The library, the weights or a demanded GPU are missing. The model
            itself is loaded with the first frame that is not flat.
    """
    masks = _ready(options, spacing_um)

    def segment(image: np.ndarray) -> np.ndarray:
        scaled = _grey(image, options)
        return np.zeros(image.shape, np.uint32) if scaled is None else masks(scaled)

    return segment


def by_parts(
    options: CellposeOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], PlainParts]:
    """A function that scales a YX frame as a whole and makes it ready for tiles."""
    masks = _ready(options, spacing_um)
    pixel = min(spacing_um)
    diameter = _USUAL_PX if options.diameter_um is None else options.diameter_um / pixel

    def parts(image: np.ndarray) -> PlainParts:
        return scaled_parts(_grey(image, options), image, masks, diameter)

    return parts


def _ready(
    options: CellposeOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], np.ndarray]:
    """From a frame with grey values as the network expects them to masks."""
    require_library("cellpose", "cellpose", 'pip install -e ".[cellpose]"')
    weights = require_weights(options.model)
    if options.gpu == "on":
        from cyto_kedro.methods.segmentation._cellpose_model import device_for

        device_for(options.gpu)
    settings = _settings(options, spacing_um)

    def masks(scaled: np.ndarray) -> np.ndarray:
        from cyto_kedro.methods.segmentation._cellpose_model import model_for

        model = model_for(weights, options.gpu, options.precision)
        found = model.masks(_padded(scaled), settings)
        height, width = scaled.shape
        return found[:height, :width].astype(np.uint32)

    return masks


def _settings(
    options: CellposeOptions, spacing_um: tuple[float, float]
) -> dict[str, Any]:
    """Arguments of ``CellposeModel.eval``."""
    diameter = options.diameter_um
    # Cellpose scales both axes alike: the geometric mean keeps the cell's area.
    pixel = float(np.sqrt(spacing_um[0] * spacing_um[1]))
    return {
        "diameter": None if diameter is None else diameter / pixel,
        "cellprob_threshold": options.cellprob_threshold,
        "flow_threshold": options.flow_threshold,
        "niter": options.niter,
        "batch_size": options.batch_size,
        "tile_overlap": options.tile_overlap,
        "normalize": {"normalize": False},
        # Sizes in um2 are judged once, for every method, by the pipeline.
        "min_size": -1,
        "max_size_fraction": 1.0,
    }


def _grey(image: np.ndarray, options: CellposeOptions) -> np.ndarray | None:
    if options.scaling == "frame":
        return scaled_between(image, options.percentiles)
    flat = not image.size or image.min() == image.max()
    return None if flat else image.astype(np.float32)


def _padded(image: np.ndarray) -> np.ndarray:
    missing = [(0, max(0, _LEAST_SIDE - side)) for side in image.shape]
    return np.pad(image, missing) if any(after for _, after in missing) else image
