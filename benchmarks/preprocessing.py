"""Percentile normalisation and gamma against a copy, dask, NumPy and scikit-image.

Rounds are interleaved in one process; figures are medians, ratios are to a copy of the
movie in its own dtype. Run with one thread per library:
``OMP_NUM_THREADS=1 python benchmarks/preprocessing.py``.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable

import dask
import dask.array as da
import numpy as np
from skimage.exposure import adjust_gamma, rescale_intensity

from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.preprocessing.intensity import (
    Gamma,
    PercentileNormalise,
    Power,
    Stretch,
    through,
)
from cyto_kedro.methods.preprocessing.percentiles import movie_percentiles
from cyto_kedro.methods.preprocessing.registered import RegisteredFrames
from cyto_kedro.methods.preprocessing.steps import measure_ranges, ranges_of
from cyto_kedro.methods.preprocessing.tables import drift_table

GAMMA = 0.8


def synthetic(frames: int, size: int, dtype: str) -> np.ndarray:
    """Gamma-distributed grey values with a slow trend in brightness."""
    rng = np.random.default_rng(0)
    movie = np.empty((frames, size, size), dtype)
    for frame in range(frames):
        plane = rng.gamma(2, 300, (size, size)) * (1 + frame / frames)
        movie[frame] = plane.astype(dtype)
    return movie


def ours(movie: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The pipeline's own functions, frame by frame as a dataset saves them."""
    stack = da.from_array(movie, chunks=(1, -1, -1), name=False)
    still = drift_table(np.zeros((len(movie), 2)), np.ones(len(movie)), movie.shape[1:])
    frames = RegisteredFrames.of(stack, still, None, "nearest")
    steps = [PercentileNormalise(), Gamma(gamma=GAMMA)]
    ranges = ranges_of(measure_ranges(stack, steps, frames.valid_part))
    lazy = frames.through(steps, ranges)
    da.store(lazy, out, lock=False, scheduler="threads")
    return out


def ours_in_memory(movie: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The same functions without dask between the frames."""
    low, high = movie_percentiles(movie, [5, 95]).tolist()
    curves = [Stretch(low, high, clip=True), Power(GAMMA, 1.0, 1.0)]
    for plane, target in zip(movie, out, strict=True):
        target[...] = through(plane, curves)
    return out


def chunkwise(movie: np.ndarray, out: np.ndarray) -> np.ndarray:
    """``dask.array.percentile``, which merges percentiles of chunks."""
    stack = da.from_array(movie, chunks=(1, -1, -1), name=False)
    low, high = da.percentile(stack.ravel(), [5, 95]).compute(scheduler="threads")
    scaled = ((stack.astype(np.float32) - low) / (high - low)).clip(0, 1) ** GAMMA
    da.store(scaled, out, lock=False, scheduler="threads")
    return out


def scikit_image(movie: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Whole movie in memory: numpy.percentile, rescale_intensity, adjust_gamma."""
    low, high = np.percentile(movie, [5, 95])
    scaled = rescale_intensity(movie.astype(np.float32), (low, high), (0.0, 1.0))
    out[...] = adjust_gamma(scaled, GAMMA)
    return out


def copy(movie: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Reading and writing the movie once."""
    return movie.copy()


def peak_over_input(function: Callable[..., object], *arguments: np.ndarray) -> float:
    """Peak of traced allocations, in units of the input's size."""
    tracemalloc.start()
    function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / arguments[0].nbytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--size", type=int, default=1200)
    parser.add_argument("--dtype", default="uint16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()

    set_workers(given.workers)
    movie = synthetic(given.frames, given.size, given.dtype)
    out = np.zeros(movie.shape, np.float32)
    peers = [copy, ours_in_memory, ours, chunkwise, scikit_image]
    seconds: dict[str, list[float]] = {peer.__name__: [] for peer in peers}
    errors, peaks = {}, {}
    low, high = np.percentile(movie, [5, 95])
    truth = np.clip((movie - low) / (high - low), 0, 1) ** GAMMA
    with dask.config.set(num_workers=given.workers):
        for peer in peers:  # warm-up, error and memory
            result = np.asarray(peer(movie, out))
            errors[peer.__name__] = (
                float("nan") if peer is copy else float(np.abs(result - truth).max())
            )
            peaks[peer.__name__] = peak_over_input(peer, movie, out)
        del truth
        for _ in range(given.rounds):
            for peer in peers:
                start = time.perf_counter()
                peer(movie, out)
                seconds[peer.__name__].append(time.perf_counter() - start)
    base = statistics.median(seconds["copy"])
    print(f"{movie.shape} {movie.dtype}, {given.workers} worker(s)")
    print(f"{'':14s} {'ms/Mpx':>8s} {'x copy':>8s} {'peak/input':>11s} {'error':>9s}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(
            f"{name:14s} {median / movie.size * 1e9:8.3f} {median / base:8.1f} "
            f"{peaks[name]:11.2f} {errors[name]:9.1e}"
        )


if __name__ == "__main__":
    main()
