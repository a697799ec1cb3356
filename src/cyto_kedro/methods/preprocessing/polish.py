"""A transform made exact on the pixels themselves.

Gauss-Newton on the squared difference of the band-passed images, as Lucas and Kanade
(1981) and TurboReg (Thevenaz 1998, doi:10.1109/83.650848) do, with the weights of the
drift's estimate: pixels around which the two differ more than elsewhere, because their
cells moved on their own, have little say.
"""

from __future__ import annotations

import numpy as np

from cyto_kedro.methods.preprocessing.fits import Kind
from cyto_kedro.methods.preprocessing.phase_correlation import agreement
from cyto_kedro.methods.preprocessing.warps import (
    Transform,
    as_matrix,
    centre,
    warped,
)

_STEPS = 15
_CONVERGED_PX = 0.005
_LARGEST_STEP_PX = 3.0
_LEAST_SIDE_PX = 16


def polished(
    fixed: np.ndarray, moving: np.ndarray, start: Transform, kind: Kind
) -> Transform:
    """The transform near ``start`` at which two band-passed images differ least.

    Args:
        fixed: YX reference.
        moving: YX frame of the same shape.
        start: Right to within the size of the images' detail, without a field.
        kind: Which transforms are allowed; ``start`` is one of them.

    Returns:
        The transform, or ``start`` where the steps lead away from it.
    """
    current = start
    shape = (fixed.shape[0], fixed.shape[1])
    for _ in range(_STEPS):
        step = _step(fixed, moving, current, kind)
        if step is None:
            return start
        matrix, shift = step
        change = _reach(matrix, shift, shape)
        if change > _LARGEST_STEP_PX:
            return start
        after = matrix @ current.shift + shift
        joined = matrix @ np.asarray(current.linear)
        current = Transform((float(after[0]), float(after[1])), as_matrix(joined))
        if change < _CONVERGED_PX:
            break
    return current


def _step(
    fixed: np.ndarray, moving: np.ndarray, current: Transform, kind: Kind
) -> tuple[np.ndarray, np.ndarray] | None:
    """Matrix and shift, about the centre, that come after the current transform."""
    part, (y0, y1, x0, x1) = warped(moving, current, "linear")
    if min(part.shape) < _LEAST_SIDE_PX:
        return None
    target = fixed[y0:y1, x0:x1]
    power = float(np.vdot(part, part))
    if not power > 0:
        return None
    source = part * np.float32(np.vdot(target, part) / power)
    weight = agreement(target, source)
    # Half of each image's slope: the noise of one alone would hold the step back.
    slopes = [
        -(a + b) / 2 for a, b in zip(*map(np.gradient, (target, source)), strict=True)
    ]
    middle = centre((fixed.shape[0], fixed.shape[1]))
    rows = (np.arange(y0, y1) - middle[0]).astype(np.float32)[:, None]
    columns = (np.arange(x0, x1) - middle[1]).astype(np.float32)[None, :]
    design = _design(slopes[0], slopes[1], rows, columns, kind)
    flat = design.reshape(len(design), -1)
    weighted = flat * weight.ravel()
    normal = (weighted @ flat.T).astype(np.float64)
    right = (weighted @ (target - source).ravel()).astype(np.float64)
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    values, *_ = np.linalg.lstsq(normal * np.outer(scale, scale), right * scale)
    return _as_motion(values * scale, kind)


def _design(
    down: np.ndarray,
    right: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    kind: Kind,
) -> np.ndarray:
    """(parameters, Y, X) change of the moved image with each parameter."""
    parts = [down, right]
    if kind in ("rigid", "similarity"):
        parts.append(right * rows - down * columns)
    if kind == "similarity":
        parts.append(down * rows + right * columns)
    if kind == "affine":
        parts += [down * rows, down * columns, right * rows, right * columns]
    return np.stack(parts)


def _as_motion(values: np.ndarray, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    shift, rest = values[:2], values[2:]
    matrix = np.eye(2)
    if kind in ("rigid", "similarity"):
        c, s = np.cos(rest[0]), np.sin(rest[0])
        matrix = np.array([[c, -s], [s, c]])
    if kind == "similarity":
        matrix = matrix * np.exp(rest[1])
    if kind == "affine":
        matrix = np.eye(2) + rest.reshape(2, 2)
    return matrix, shift


def _reach(matrix: np.ndarray, shift: np.ndarray, shape: tuple[int, int]) -> float:
    """Largest distance that a step moves a corner of the image by, in px."""
    y, x = centre(shape)
    corners = np.array([[-y, -x], [-y, x], [y, -x], [y, x]])
    moves = corners @ (matrix - np.eye(2)).T + shift
    return float(np.hypot(*moves.T).max())
