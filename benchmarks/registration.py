"""Registration of pairs: error over the field and time, beside scikit-image and ANTs.

Spots are evaluated at their exact positions (no resampling), with noise. Each pair is
registered by every method, interleaved. Time is the processor's, which other programs
on the machine change little, on the shifts; one thread each, imports and warm-up not
counted.

    python benchmarks/registration.py [--ants]
    python benchmarks/methods_table.py --only registration    # into the docs
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Waiting threads of the linear algebra would count as work.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from skimage.registration import phase_cross_correlation

from _blocks import Block, as_markdown
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.preprocessing import _ants
from cyto_kedro.methods.preprocessing.drift import REGISTRATIONS
from cyto_kedro.methods.preprocessing.warps import Transform

BLOCKS = {"registration": "docs/methods/preprocessing.md"}

#: Where what lies at (N, 2) places (y, x) of the reference lies in the frame.
Motion = Callable[[np.ndarray], np.ndarray]
Method = Callable[[np.ndarray, np.ndarray], Transform]


def motions(size: int, seed: int) -> dict[str, Motion]:
    """A shift; a rotation with scale and shift; a wave with shift."""
    rng = np.random.default_rng(seed)
    shift, sign = rng.uniform(-15, 15, 2), rng.choice([-1, 1])
    angle, scale, phase = np.deg2rad(sign * 1.5), 1.01, rng.uniform(0, 2 * np.pi)
    matrix = scale * np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    middle = (size - 1) / 2

    def wave(places: np.ndarray) -> np.ndarray:
        bent = 4 * np.sin(2 * np.pi * places[:, ::-1] / 600 + phase)
        return places + bent + 0.3 * shift

    return {
        "shift": lambda places: places + shift,
        "rotation and scale": lambda p: (p - middle) @ matrix + middle + 0.5 * shift,
        "wave": wave,
    }


def pair(size: int, motion: Motion, noise: float, seed: int) -> np.ndarray:
    """(2, Y, X) uint16: the reference and the frame."""
    rng = np.random.default_rng(seed)
    count = max(20, size * size // 1500)
    places = rng.uniform(-40, size + 40, (count, 2))
    radii, heights = rng.uniform(4, 9, count), rng.uniform(80, 300, count)
    grid = np.arange(size)
    film = np.empty((2, size, size), np.uint16)
    for frame, at in enumerate((places, motion(places))):
        y, x = at.T
        along_y = np.exp(-((grid - y[:, None]) ** 2) / (2 * radii[:, None] ** 2))
        along_x = np.exp(-((grid - x[:, None]) ** 2) / (2 * radii[:, None] ** 2))
        image = 100 + (along_y * heights[:, None]).T @ along_x
        film[frame] = np.rint(image + rng.normal(0, noise, image.shape)).clip(0, 65535)
    return film


def ours(name: str, **options: object) -> Method:
    """A registered method on two frames; the reference's preparation is counted too."""
    method = REGISTRATIONS[name]
    chosen = method.options.model_validate({"reference": "first"} | options)

    def register(reference: np.ndarray, frame: np.ndarray) -> Transform:
        film = np.stack([reference, frame])
        return method.estimate(film, chosen).filled()[1]

    return register


def scikit_image(normalization: str | None) -> Method:
    """``phase_cross_correlation`` with upsampling 20."""

    def register(reference: np.ndarray, frame: np.ndarray) -> Transform:
        found = phase_cross_correlation(
            reference, frame, upsample_factor=20, normalization=normalization
        )[0]
        return Transform((float(found[0]), float(found[1])))

    return register


def ants_directly(reference: np.ndarray, frame: np.ndarray) -> Transform:
    """ANTs' translation with its defaults, on whole frames as they are."""
    library = _ants.library()
    fixed, moving = (
        library.from_numpy(each.astype(np.float32)) for each in (reference, frame)
    )
    with _ants.reproducible(1) as folder:
        found = library.registration(
            fixed, moving, type_of_transform="Translation", outprefix=f"{folder}/"
        )
        numbers = library.read_transform(found["fwdtransforms"][0]).parameters
    return Transform((-float(numbers[-2]), -float(numbers[-1])))


def methods(with_ants: bool) -> dict[str, Method]:
    """Every method by its name in the table; ours first."""
    found = {
        "`phase_correlation`": ours("phase_correlation"),
        "`block_correlation` rigid": ours("block_correlation", transform="rigid"),
        "`block_correlation` affine": ours("block_correlation", transform="affine"),
        "`block_correlation` deformable": ours(
            "block_correlation", transform="deformable"
        ),
        "scikit-image, not normalised": scikit_image(None),
        "scikit-image, phase": scikit_image("phase"),
    }
    if with_ants:
        for kind in ("translation", "rigid", "affine", "syn"):
            found[f"`ants` {kind}"] = ours("ants", transform=kind)
        found["ANTs translation, called directly"] = ants_directly
    return found


def error_px(transform: Transform, motion: Motion, size: int) -> float:
    """Root mean square over the field of where pixels are read and where they lie."""
    line = np.arange(8, size - 8, 8)
    rows, columns = (axis.ravel() for axis in np.meshgrid(line, line, indexing="ij"))
    read = transform.sources((size, size))[:, rows, columns].T
    apart = read - motion(np.stack([rows, columns], axis=1).astype(float))
    return float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))


def measured(
    size: int, n_pairs: int, noise: float, with_ants: bool
) -> tuple[dict[str, dict], dict[str, list]]:
    """Errors in px by method and motion, and seconds by method."""
    chosen = methods(with_ants)
    small = pair(128, motions(128, 0)["shift"], noise, 0)
    for method in chosen.values():
        method(*small)
    errors: dict[str, dict[str, list[float]]] = {name: {} for name in chosen}
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for seed in range(n_pairs):
        for kind, motion in motions(size, seed).items():
            film = pair(size, motion, noise, seed)
            for name, method in chosen.items():
                start = time.process_time()
                found = method(film[0], film[1])
                if kind == "shift":
                    seconds[name].append(time.process_time() - start)
                error = error_px(found, motion, size)
                errors[name].setdefault(kind, []).append(error)
    return errors, seconds


def rows_of(
    errors: dict[str, dict[str, list[float]]], seconds: dict[str, list[float]]
) -> list[dict[str, str]]:
    """One per method; errors as rms over pairs, time as ratio to the first."""
    base = statistics.median(next(iter(seconds.values())))
    return [
        {"rms px over the field": name}
        | {kind: f"{np.sqrt(np.mean(np.square(e))):.3f}" for kind, e in found.items()}
        | {"processor time": f"{statistics.median(seconds[name]) / base:.1f}"}
        for name, found in errors.items()
    ]


def blocks(
    data: Path | None = None,
    size: int = 1024,
    n_pairs: int = 3,
    noise: float = 40.0,
    with_ants: bool = True,
) -> Iterator[Block]:
    """All methods on the same pairs."""
    set_workers(1)
    about = (
        f"`benchmarks/registration.py{' --ants' if with_ants else ''}`: "
        f"{size} x {size} px, {n_pairs} pairs each, noise of {noise:g} on cells of 80 "
        "to 300 grey values, one thread."
    )
    rows = rows_of(*measured(size, n_pairs, noise, with_ants))
    yield Block(BLOCKS["registration"], "registration", about, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=3, help="pairs per motion")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--noise", type=float, default=40.0)
    parser.add_argument("--ants", action="store_true", help="also with ANTs")
    given = parser.parse_args()
    for block in blocks(None, given.size, given.pairs, given.noise, given.ants):
        print(as_markdown(block.rows))


if __name__ == "__main__":
    main()
