"""Registration by ANTs (Avants 2008, doi:10.1016/j.media.2007.06.004).

Mutual information, ANTs' own schedules. Images lie around the origin, so that ANTs'
affine, which maps points of the reference into the frame, is the inverse of ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import dask.array as da
import numpy as np
from pydantic import Field as Option

from cyto_kedro.methods.preprocessing import _ants
from cyto_kedro.methods.preprocessing.estimate import Estimate
from cyto_kedro.methods.preprocessing.follow import FollowParams, Register, follow
from cyto_kedro.methods.preprocessing.warps import (
    Field,
    Shape,
    Transform,
    as_matrix,
    centre,
    grid_nodes,
)

_TYPES = {
    "translation": "Translation",
    "rigid": "Rigid",
    "affine": "Affine",
    "syn": "SyN",
}
# SyN holds its field to zero at the border of the image: a rim that the metric does not
# see lets it move there. On a wave of 4 px (512 px, noise) the default steps,
# 40 x 20 x 0, left 1.1 px, these 0.7; a last step at full size and SyNQuick no less.
_RIM_PX = 32
_SYN_STEPS = (100, 70, 50, 0)


class AntsRegistration(FollowParams):
    """ANTs: for results like those of other ANTs users; slow."""

    name: Literal["ants"] = "ants"
    transform: Literal["translation", "rigid", "affine", "syn"] = Option(
        default="rigid",
        description="rigid: shift and rotation; affine: and scale and shear; syn: "
        "affine, then a smooth deformation",
    )
    grid_px: float = Option(
        default=32.0,
        ge=8,
        le=2048,
        description="distance of the nodes that a deformation is stated at (px)",
    )
    seed: int = Option(
        default=1, ge=1, le=2**31 - 1, description="of the pixels that ANTs samples"
    )


def ants_registration(
    stack: da.Array | np.ndarray, options: AntsRegistration
) -> Estimate:
    """Register every frame of a TYX stack, streaming; equal in every process."""

    def pair_method(shape: Shape, fold: int) -> Register:
        nodes = grid_nodes(shape, options.grid_px / fold)

        def register(
            fixed: np.ndarray, moving: np.ndarray, guess: Transform
        ) -> Transform | None:
            return _registered(fixed, moving, guess, nodes, options)

        return register

    return follow(stack, options, pair_method)


def _registered(
    fixed: np.ndarray,
    moving: np.ndarray,
    guess: Transform,
    nodes: tuple[np.ndarray, np.ndarray],
    options: AntsRegistration,
) -> Transform:
    library = _ants.library()
    height, width = fixed.shape
    rim = _RIM_PX if options.transform == "syn" else 0
    more: dict[str, Any] = {}
    if rim:
        seen = np.pad(np.ones_like(fixed), rim)
        more = {
            "mask": _image(library, seen),
            "mask_all_stages": True,
            "reg_iterations": _SYN_STEPS,
        }
    with _ants.reproducible(options.seed) as folder:
        found = library.registration(
            _image(library, np.pad(fixed, rim, "reflect")),
            _image(library, np.pad(moving, rim, "reflect")),
            type_of_transform=_TYPES[options.transform],
            initial_transform=[_written(library, guess, folder / "guess.mat")],
            outprefix=f"{folder}/found_",
            **more,
        )
        *warps, affine = found["fwdtransforms"]
        linear = _read(library, affine)
        if not warps:
            return linear
        field = library.image_read(warps[0]).numpy()
    inner = field[rim : rim + height, rim : rim + width]
    return Transform(
        linear.shift, linear.linear, Field.fitted(-np.moveaxis(inner, 2, 0), nodes)
    )


def _image(library: Any, plane: np.ndarray) -> Any:
    """An ANTs image with the centre of the frame at the origin."""
    origin = tuple((-centre((plane.shape[0], plane.shape[1]))).tolist())
    return library.from_numpy(np.ascontiguousarray(plane, np.float32), origin=origin)


def _written(library: Any, guess: Transform, path: Path) -> str:
    """The guess as a transform file of ANTs, without its field."""
    inverse = np.linalg.inv(np.asarray(guess.linear))
    transform = library.create_ants_transform(
        transform_type="AffineTransform",
        dimension=2,
        matrix=inverse,
        translation=-inverse @ guess.shift,
        center=(0.0, 0.0),
    )
    library.write_transform(transform, str(path))
    return str(path)


def _read(library: Any, path: str) -> Transform:
    """An ANTs affine ``p = M (q - k) + t + k`` as our transform."""
    found = library.read_transform(path)
    numbers = np.asarray(found.parameters, np.float64)
    middle = np.asarray(found.fixed_parameters, np.float64)[:2]
    matrix = numbers[:4].reshape(2, 2) if len(numbers) == 6 else np.eye(2)
    inverse = np.linalg.inv(matrix)
    shift = -inverse @ (numbers[-2:] + middle - matrix @ middle)
    return Transform((float(shift[0]), float(shift[1])), as_matrix(inverse))
