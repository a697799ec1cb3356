"""Intensity and focus figures of one frame, exact for integers."""

from __future__ import annotations

import numpy as np

from cyto_kedro.core.errors import InputError

_PERCENT = (1.0, 50.0, 99.0)
_HISTOGRAM_TYPES = ("u1", "u2")


def frame_figures(plane: np.ndarray) -> dict[str, float]:
    """Figures of a YX plane in the columns of the table FRAME_STATS.

    Percentiles equal ``numpy.percentile`` (linear interpolation). ``focus`` is the
    variance of the 4-neighbour Laplacian over the squared mean, a sharpness measure
    that does not grow with the illumination (Pech-Pacheco et al. 2000,
    doi:10.1109/ICPR.2000.903548); NaN for a mean of 0 or fewer than 3 x 3 pixels.
    ``saturated_fraction`` counts pixels at the largest value of an integer dtype; NaN
    for floats.

    Raises:
        InputError: The plane holds NaN or infinite pixels.
    """
    _require_finite(plane)
    if plane.dtype.str[1:] in _HISTOGRAM_TYPES:
        figures = _from_histogram(plane)
    else:
        figures = _from_values(plane)
    return figures | {"focus": _focus(plane, figures["mean"])}


def _require_finite(plane: np.ndarray) -> None:
    if plane.dtype.kind != "f" or np.isfinite(plane).all():
        return
    count = int(plane.size - np.isfinite(plane).sum())
    raise InputError(
        f"{count} of {plane.size} pixels are NaN or infinite",
        fix="replace them in the raw file, or leave the frame out with image_range",
    )


def _from_histogram(plane: np.ndarray) -> dict[str, float]:
    from cyto_kedro.methods.ingest._kernels import histogram

    n_bins = int(np.iinfo(plane.dtype).max) + 1
    counts = histogram(np.ascontiguousarray(plane).reshape(-1), n_bins)
    present = np.flatnonzero(counts)
    ends = np.cumsum(counts[present])
    low, median, high = _percentiles(present, ends)
    return {
        "minimum": float(present[0]),
        "p01": low,
        "median": median,
        "mean": float(np.dot(present, counts[present]) / plane.size),
        "p99": high,
        "maximum": float(present[-1]),
        "saturated_fraction": float(counts[-1] / plane.size),
    }


def _percentiles(values: np.ndarray, ends: np.ndarray) -> tuple[float, float, float]:
    """1st, 50th and 99th percentile of sorted values that end at these ranks."""
    position = np.asarray(_PERCENT) / 100 * (int(ends[-1]) - 1)
    lower = values[np.searchsorted(ends, np.floor(position), side="right")]
    upper = values[np.searchsorted(ends, np.ceil(position), side="right")]
    low, median, high = lower + (upper - lower) * (position - np.floor(position))
    return float(low), float(median), float(high)


def _from_values(plane: np.ndarray) -> dict[str, float]:
    values = plane.astype(np.float64, copy=False)
    low, median, high = np.percentile(values, _PERCENT)
    saturated = np.nan
    if plane.dtype.kind in "iu":
        saturated = float(np.mean(plane == np.iinfo(plane.dtype).max))
    return {
        "minimum": float(values.min()),
        "p01": float(low),
        "median": float(median),
        "mean": float(values.mean()),
        "p99": float(high),
        "maximum": float(values.max()),
        "saturated_fraction": saturated,
    }


def _focus(plane: np.ndarray, mean: float) -> float:
    from cyto_kedro.methods.ingest._kernels import laplacian_variance

    if mean == 0 or min(plane.shape) < 3:
        return float("nan")
    return float(laplacian_variance(np.ascontiguousarray(plane)) / mean**2)
