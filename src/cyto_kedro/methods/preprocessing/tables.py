"""Transforms as tables that people can plot and edit: DRIFT and DEFORMATION."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import DEFORMATION, DRIFT
from cyto_kedro.methods.preprocessing.transforms import DECIMALS
from cyto_kedro.methods.preprocessing.warps import (
    Field,
    Shape,
    Transform,
    as_matrix,
    valid_area,
)

_LINEAR = ["linear_yy", "linear_yx", "linear_xy", "linear_xx"]
_LINEAR_DECIMALS = 7  # a 1/1000 px at the edge of a field of 10,000 px
_VALID = ["valid_y0", "valid_y1", "valid_x0", "valid_x1"]
_EDIT = "correct the table, or run preprocessing again from the node estimate_drift"


def translations(shifts: np.ndarray) -> tuple[Transform, ...]:
    """Transforms of (T, 2) shifts in px, rounded as tables state them."""
    rounded = np.round(shifts, DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0
    return tuple(Transform((dy, dx)) for dy, dx in rounded.tolist())


def as_stated(transform: Transform) -> Transform:
    """A transform as the tables state it, to their last decimal."""
    dy, dx = (round(float(d), DECIMALS) + 0.0 for d in transform.shift)
    linear = as_matrix(np.round(transform.linear, _LINEAR_DECIMALS) + 0.0)
    field = transform.field
    if field is not None:
        y, x, values = (
            np.round(each, DECIMALS) + 0.0
            for each in (field.y_px, field.x_px, field.values)
        )
        field = Field(y, x, values)
    return Transform((dy, dx), linear, field)


def transform_tables(
    transforms: Sequence[Transform], quality: np.ndarray, shape: Shape
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables DRIFT and DEFORMATION.

    Args:
        transforms: One per frame.
        quality: (T,) correlation after registration.
        shape: (Y, X) of the frames.
    """
    stated = [as_stated(transform) for transform in transforms]
    table = pd.DataFrame({"frame": np.arange(len(stated)), "quality": quality})
    shifts = np.array([each.shift for each in stated], float).reshape(-1, 2)
    table[["dy_px", "dx_px"]] = shifts
    table[_LINEAR] = np.array([each.linear for each in stated], float).reshape(-1, 4)
    areas = [valid_area(each, shape) for each in stated]
    table[_VALID] = np.array(areas, np.int64).reshape(-1, 4)
    parts = [
        _nodes(frame, each.field)
        for frame, each in enumerate(stated)
        if each.field is not None
    ]
    fields = pd.concat(parts, ignore_index=True) if parts else DEFORMATION.empty()
    return DRIFT.conform(table), DEFORMATION.conform(fields)


def drift_table(shifts: np.ndarray, quality: np.ndarray, shape: Shape) -> pd.DataFrame:
    """Table DRIFT from (T, 2) shifts, (T,) quality and the frames' (Y, X) shape."""
    return transform_tables(translations(shifts), quality, shape)[0]


def compose(first: pd.DataFrame, second: pd.DataFrame, shape: Shape) -> pd.DataFrame:
    """DRIFT of moving each frame by ``first`` and then by ``second``.

    The quality is the second's: it was measured last, on frames moved by the first.
    """
    joined = []
    for one, other in zip(
        linear_transforms(first), linear_transforms(second), strict=True
    ):
        after = np.asarray(other.linear)
        shift = after @ one.shift + other.shift
        joined.append(
            Transform((shift[0], shift[1]), as_matrix(after @ np.asarray(one.linear)))
        )
    quality = second.sort_values("frame")["quality"].to_numpy()
    return transform_tables(joined, quality, shape)[0]


def linear_transforms(drift: pd.DataFrame) -> list[Transform]:
    """Shift and linear part of each row of DRIFT, in the order of frames.

    Raises:
        InputError: Some of the linear columns are missing, or a value is not finite.
    """
    ordered = drift.sort_values("frame")
    known = [name for name in _LINEAR if name in ordered]
    if known and known != _LINEAR:
        raise InputError(
            f"The drift table has {', '.join(known)} but not all of "
            f"{', '.join(_LINEAR)}",
            where="drift",
            fix="state all four, or none of them for translations",
        )
    matrices = np.tile([1.0, 0.0, 0.0, 1.0], (len(ordered), 1))
    if known:
        matrices = ordered[_LINEAR].to_numpy(np.float64)
    shifts = ordered[["dy_px", "dx_px"]].to_numpy(np.float64)
    matrices = matrices.reshape(-1, 2, 2)
    bad = ~np.isfinite(shifts).all(axis=1) | ~np.isfinite(matrices).all(axis=(1, 2))
    bad[~bad] = np.linalg.det(matrices[~bad]) == 0
    if bad.any():
        raise InputError(
            "A row of the drift table is no transform: a value is missing, or the "
            "linear part cannot be inverted",
            where=f"drift, frame {ordered['frame'].to_numpy()[bad][0]}",
            fix=_EDIT,
        )
    return [
        Transform((dy, dx), as_matrix(matrix))
        for (dy, dx), matrix in zip(shifts.tolist(), matrices, strict=True)
    ]


def frame_transforms(
    drift: pd.DataFrame, deformation: pd.DataFrame | None, n_frames: int
) -> tuple[Transform, ...]:
    """One transform for each frame of a movie.

    Args:
        drift: Table DRIFT; without columns ``linear_*`` it holds translations.
        deformation: Table DEFORMATION; frames that it lacks are not deformed.
        n_frames: Number of frames.

    Raises:
        InputError: A frame has no row or several in ``drift``, or a frame's nodes are
            no grid.
    """
    if sorted(drift["frame"].tolist()) != list(range(n_frames)):
        raise InputError(
            f"The drift table needs exactly one row for each of the {n_frames} frames",
            where="drift",
            fix="run preprocessing again from the node estimate_drift",
        )
    found = linear_transforms(drift)
    if deformation is not None:
        for frame, nodes in deformation.groupby("frame"):
            number = int(str(frame))
            if number >= n_frames:
                raise _no_grid(number, f"the movie has {n_frames} frames")
            field = _field(number, nodes)
            found[number] = Transform(found[number].shift, found[number].linear, field)
    return tuple(found)


def _nodes(frame: int, field: Field) -> pd.DataFrame:
    y, x = np.meshgrid(field.y_px, field.x_px, indexing="ij")
    dy, dx = np.moveaxis(field.values, 2, 0)
    columns = {"y_px": y, "x_px": x, "dy_px": dy, "dx_px": dx}
    flat = {name: values.ravel() for name, values in columns.items()}
    return pd.DataFrame({"frame": frame} | flat)


def _field(frame: int, nodes: pd.DataFrame) -> Field:
    dy, dx = (
        nodes.pivot(index="y_px", columns="x_px", values=name)
        for name in ("dy_px", "dx_px")
    )
    y, x = dy.index.to_numpy(np.float64), dy.columns.to_numpy(np.float64)
    values = np.stack([dy.to_numpy(np.float64), dx.to_numpy(np.float64)], axis=2)
    if not np.isfinite(values).all():
        raise _no_grid(frame, "a node of the grid is missing or not finite")
    return Field(y, x, values)


def _no_grid(frame: int, why: str) -> InputError:
    return InputError(
        f"The deformation table cannot be read: {why}",
        where=f"deformation, frame {frame}",
        fix=_EDIT,
    )
