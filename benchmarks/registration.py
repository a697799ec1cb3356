"""Drift of synthetic movies: error and time against scikit-image, optionally ANTs.

Spots are evaluated at their exact positions (no resampling), with noise. Each frame is
registered to the first one by every method, interleaved frame by frame.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
from skimage.registration import phase_cross_correlation

from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.preprocessing.drift import PhaseCorrelation, phase_correlation

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def synthetic(
    frames: int, size: int, noise: float, motion: float
) -> tuple[np.ndarray, np.ndarray]:
    """Movie and its true shifts; half of the spots walk by ``motion`` px per frame."""
    rng = np.random.default_rng(0)
    count = max(20, size * size // 2000)
    places = rng.uniform(-40, size + 40, (count, 2))
    radii, heights = rng.uniform(4, 9, count), rng.uniform(80, 300, count)
    shifts = np.vstack([[0, 0], rng.uniform(-15, 15, (frames - 1, 2))])
    grid = np.arange(size)
    movie = np.empty((frames, size, size), np.uint16)
    for frame, shift in enumerate(shifts):
        y, x = (places - shift).T
        along_y = np.exp(-((grid - y[:, None]) ** 2) / (2 * radii[:, None] ** 2))
        along_x = np.exp(-((grid - x[:, None]) ** 2) / (2 * radii[:, None] ** 2))
        image = 100 + (along_y * heights[:, None]).T @ along_x
        image += rng.normal(0, noise, image.shape)
        movie[frame] = np.clip(np.rint(image), 0, 65535)
        places[::2] += rng.normal(0, motion, places[::2].shape)
    return movie, shifts


def ours(rounds: int) -> Method:
    """Our estimate for a pair; the reference's preparation is counted too."""
    options = PhaseCorrelation(reference="first", robust_rounds=rounds)

    def method(reference: np.ndarray, frame: np.ndarray) -> np.ndarray:
        return phase_correlation(np.stack([reference, frame]), options).shifts[1]

    return method


def scikit_image(normalization: str | None) -> Method:
    """``phase_cross_correlation`` with upsampling 20."""

    def method(reference: np.ndarray, frame: np.ndarray) -> np.ndarray:
        return phase_cross_correlation(
            reference, frame, upsample_factor=20, normalization=normalization
        )[0]

    return method


def ants_translation() -> Method:
    """ANTs translation, one thread like ours, seeded; the import is not timed."""
    import ants

    ants.config.set_ants_deterministic(seed_value=1)

    def method(reference: np.ndarray, frame: np.ndarray) -> np.ndarray:
        fixed = ants.from_numpy(reference.astype(np.float32))
        moving = ants.from_numpy(frame.astype(np.float32))
        with tempfile.TemporaryDirectory() as folder:
            found = ants.registration(
                fixed,
                moving,
                type_of_transform="Translation",
                outprefix=f"{folder}/",
            )
            transform = ants.read_transform(found["fwdtransforms"][0])
        return -np.asarray(transform.parameters)[-2:]

    return method


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--size", type=int, default=1200)
    parser.add_argument("--noise", type=float, default=40.0)
    parser.add_argument("--motion", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ants", action="store_true", help="also with ANTs")
    given = parser.parse_args()

    set_workers(given.workers)
    movie, truth = synthetic(given.frames, given.size, given.noise, given.motion)
    methods: dict[str, Method] = {
        "ours": ours(4),
        "ours, not robust": ours(0),
        "skimage none": scikit_image(None),
        "skimage phase": scikit_image("phase"),
    }
    if given.ants:
        methods["ANTs translation"] = ants_translation()
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    errors: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    for method in methods.values():
        method(movie[0], movie[1])  # warm-up
    for frame in range(1, len(movie)):
        for name, method in methods.items():
            start = time.perf_counter()
            found = method(movie[0], movie[frame])
            seconds[name].append(time.perf_counter() - start)
            errors[name].append(found - truth[frame])
    start = time.perf_counter()
    phase_correlation(movie, PhaseCorrelation())
    streamed = (time.perf_counter() - start) / len(movie)

    base = statistics.median(seconds["ours"])
    print(f"{movie.shape}, noise {given.noise}, half moving {given.motion} px/frame")
    print(f"{'pair to pair':18s} {'s/frame':>8s} {'x ours':>7s} {'rms px':>8s} max px")
    for name, values in seconds.items():
        error = np.array(errors[name])
        print(
            f"{name:18s} {statistics.median(values):8.3f} "
            f"{statistics.median(values) / base:7.1f} "
            f"{np.sqrt(np.mean(error**2)):8.3f} {np.abs(error).max():6.3f}"
        )
    print(f"whole movie, running template: {streamed:.3f} s/frame")


if __name__ == "__main__":
    main()
