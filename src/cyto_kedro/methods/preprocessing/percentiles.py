"""Exact percentiles of a movie that never has to fit into memory.

Every value is mapped to an unsigned key of the same order and the wanted order
statistics are found by radix selection: a histogram of the keys' upper 16 bits, then of
the next 16 bits within the few buckets that hold a wanted rank, and so on. 8- and
16-bit images need one pass over the frames, 32-bit images two, 64-bit images up to
four; as soon as the wanted buckets are small their values are collected instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import dask.array as da
import numpy as np

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import over_frames

_DIGIT = 16
_COLLECT_LIMIT = 1 << 18  # values held at most when the last buckets are collected

T = TypeVar("T")
#: Runs a function over every block of pixels and yields its results in order.
Sweep = Callable[[Callable[[np.ndarray], T]], Iterable[T]]


def movie_percentiles(
    stack: da.Array | np.ndarray,
    percent: Sequence[float],
    prepare: Callable[[int, np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Percentiles over all pixels of a TYX stack, streamed frame by frame.

    Args:
        stack: TYX array of any real dtype and chunking.
        percent: Wanted percentiles in [0, 100].
        prepare: Called with the frame index and plane; returns the pixels to count
            (for example without invalid edges), always in one dtype.

    Returns:
        float64 values equal to ``numpy.percentile`` (linear interpolation) of all
        counted pixels as float64; NaN if there are none.

    Raises:
        InputError: A counted pixel is NaN or infinite, or the dtype is not real.
    """

    def sweep(function: Callable[[np.ndarray], T]) -> Iterator[T]:
        def one(frame: int, plane: np.ndarray) -> T:
            pixels = plane if prepare is None else prepare(frame, plane)
            _require_finite(pixels, f"frame {frame}")
            return function(pixels)

        return over_frames(one, stack)

    return _select(sweep, percent)


def array_percentiles(values: np.ndarray, percent: Sequence[float]) -> np.ndarray:
    """Percentiles of one array; as :func:`movie_percentiles` of a single frame."""
    _require_finite(values, "")
    return _select(lambda function: iter([function(values)]), percent)


def _require_finite(values: np.ndarray, where: str) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError(
            "The image holds NaN or infinite pixels: its percentiles are undefined",
            where=where,
            fix="replace them in the raw file, or leave out percentile steps",
        )


def _select(sweep: Sweep, percent: Sequence[float]) -> np.ndarray:
    dtype, counts = _first_histogram(sweep)
    total = int(counts.sum())
    if total == 0:
        return np.full(len(percent), np.nan)
    position = np.asarray(percent, np.float64) / 100 * (total - 1)
    lower = np.floor(position).astype(np.int64)
    upper = np.minimum(lower + 1, total - 1)
    ranks = np.unique(np.concatenate([lower, upper]))
    found = dict(
        zip(ranks.tolist(), _values_at(ranks, counts, dtype, sweep), strict=True)
    )
    return np.array(
        [
            _between(found[int(low)], found[int(high)], float(at - low))
            for at, low, high in zip(position, lower, upper, strict=True)
        ]
    )


def _between(low: float, high: float, weight: float) -> float:
    """Linear interpolation from the nearer end, as NumPy does it."""
    if weight < 0.5:
        return low + (high - low) * weight
    return high - (high - low) * (1 - weight)


def _first_histogram(sweep: Sweep) -> tuple[np.dtype, np.ndarray]:
    from cyto_kedro.methods.preprocessing._kernels import histogram_digit

    dtype, counts = np.dtype(np.uint8), np.zeros(1 << _DIGIT, np.int64)

    def top_digits(pixels: np.ndarray) -> tuple[np.dtype, np.ndarray]:
        keys = _keys(pixels)
        return pixels.dtype, histogram_digit(keys, _top_shift(keys.dtype))

    for found, histogram in sweep(top_digits):
        dtype, counts = found, counts + histogram
    return dtype, counts


def _values_at(
    ranks: np.ndarray, counts: np.ndarray, dtype: np.dtype, sweep: Sweep
) -> list[float]:
    """Value of each global rank, refining the buckets that hold one digit by digit."""
    key_type = _key_type(dtype)
    shift = _top_shift(key_type)
    buckets, inner = _descend({0: counts}, np.zeros(len(ranks), np.uint64), ranks)
    sizes = {int(b): int(counts[int(b)]) for b in buckets}
    while shift > 0:
        wanted = sorted(set(buckets.tolist()))
        if sum(sizes[int(b)] for b in wanted) <= _COLLECT_LIMIT:
            return _collect(sweep, wanted, shift, buckets, inner, dtype)
        shift -= _DIGIT
        finer = _refine(sweep, wanted, shift)
        parents = buckets
        buckets, inner = _descend(finer, parents, inner)
        sizes = {
            int(b): int(finer[int(p)][int(b) & 0xFFFF])
            for b, p in zip(buckets, parents, strict=True)
        }
    return [_value(int(key), dtype) for key in buckets]


def _descend(
    histograms: dict[int, np.ndarray], parents: np.ndarray, ranks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bucket (prefix) of each rank one digit further down, and its rank in there."""
    prefixes, inner = [], []
    for parent, rank in zip(parents, ranks, strict=True):
        ends = np.cumsum(histograms[int(parent)])
        digit = int(np.searchsorted(ends, rank, side="right"))
        prefixes.append((int(parent) << _DIGIT) | digit)
        inner.append(int(rank) - (int(ends[digit - 1]) if digit else 0))
    return np.array(prefixes, np.uint64), np.array(inner, np.int64)


def _refine(sweep: Sweep, prefixes: list[int], shift: int) -> dict[int, np.ndarray]:
    """Histogram of the digit above ``shift`` within each prefix."""
    from cyto_kedro.methods.preprocessing._kernels import histogram_within

    def count(pixels: np.ndarray) -> list[np.ndarray]:
        keys = _keys(pixels)
        return [histogram_within(keys, shift, prefix) for prefix in prefixes]

    totals = [np.zeros(1 << _DIGIT, np.int64) for _ in prefixes]
    for histograms in sweep(count):
        totals = [total + part for total, part in zip(totals, histograms, strict=True)]
    return dict(zip(prefixes, totals, strict=True))


def _collect(
    sweep: Sweep,
    prefixes: list[int],
    shift: int,
    buckets: np.ndarray,
    inner: np.ndarray,
    dtype: np.dtype,
) -> list[float]:
    """Sort the few keys of the wanted buckets and pick the ranks from them."""

    def pick(pixels: np.ndarray) -> list[np.ndarray]:
        keys = _keys(pixels)
        high = keys >> keys.dtype.type(shift)
        return [keys[high == prefix] for prefix in prefixes]

    parts = zip(*sweep(pick), strict=True)
    pools = {
        p: np.sort(np.concatenate(part))
        for p, part in zip(prefixes, parts, strict=True)
    }
    return [
        _value(int(pools[int(b)][r]), dtype)
        for b, r in zip(buckets, inner, strict=True)
    ]


def _key_type(dtype: np.dtype) -> np.dtype:
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise InputError(
            f"Percentiles of pixels of type {dtype} are not supported",
            fix="use an integer or float image of at most 64 bits",
        )
    return np.dtype(f"u{max(dtype.itemsize, 2)}")


def _top_shift(key_type: np.dtype) -> int:
    return key_type.itemsize * 8 - _DIGIT


def _keys(pixels: np.ndarray) -> np.ndarray:
    """Flat unsigned integers in the order of the pixels."""
    key_type = _key_type(pixels.dtype)
    flat = np.ascontiguousarray(pixels).reshape(-1)
    kind, size = flat.dtype.kind, flat.dtype.itemsize
    flat = flat.astype(flat.dtype.newbyteorder("="), copy=False)
    if kind in "bu":
        return flat.astype(key_type, copy=False)
    sign = key_type.type(1 << (key_type.itemsize * 8 - 1))
    if kind == "i":
        # A narrow signed integer is widened first: its key keeps the sign bit on top.
        wide = flat.astype(f"i{key_type.itemsize}", copy=False)
        return np.bitwise_xor(wide.view(key_type), sign)
    bits = flat.view(f"u{size}")
    from cyto_kedro.methods.preprocessing._kernels import ordered_bits

    keys: np.ndarray = ordered_bits(bits, int(sign))
    return keys


def _value(key: int, dtype: np.dtype) -> float:
    key_type = _key_type(dtype)
    if dtype.kind in "bu":
        return float(key)
    sign = 1 << (key_type.itemsize * 8 - 1)
    if dtype.kind == "i":
        return float(key - sign)
    bits = key ^ sign if key & sign else ~key & (2 * sign - 1)
    native = dtype.newbyteorder("=")
    return float(np.array([bits], key_type).view(native)[0])
