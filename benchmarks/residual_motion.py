"""Verdicts on motion of known kind, and the price beside ANTs' deformable SyN.

Pairs of frames with the same cells: moved as a whole (and registered), swollen by a
smooth wave, crawled each on its own, or noise only.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np

from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.preprocessing.denoise import DENOISERS
from cyto_kedro.methods.preprocessing.residual_motion import (
    ResidualMotionParams,
    residual_motion,
)
from cyto_kedro.methods.preprocessing.tables import translations


def pairs(size: int, height: float, noise: float) -> dict[str, np.ndarray]:
    """Two frames for each kind of motion; the wave reaches ``height`` px."""
    rng = np.random.default_rng(0)
    count = size * size // 1000
    places = rng.uniform(-40, size + 40, (count, 2))
    radii, heights = rng.uniform(4, 9, count), rng.uniform(80, 300, count)
    grid = np.arange(size)

    def film(at: np.ndarray) -> np.ndarray:
        y, x = at.T
        along_y = np.exp(-((grid - y[:, None]) ** 2) / (2 * radii[:, None] ** 2))
        along_x = np.exp(-((grid - x[:, None]) ** 2) / (2 * radii[:, None] ** 2))
        image = 100 + (along_y * heights[:, None]).T @ along_x
        return image + rng.normal(0, noise, image.shape)

    wave = height * np.sin(2 * np.pi * places[:, 1] / size)
    swollen = places + np.stack([wave, 0 * wave], axis=1)
    crawled = places + rng.normal(0, height, places.shape)
    seconds = {"rigid": places - [7.3, -4.6], "wave": swollen, "crawl": crawled}
    films = {name: np.stack([film(places), film(at)]) for name, at in seconds.items()}
    return films | {"noise": rng.normal(100, noise, (2, size, size))}


def syn(pair: np.ndarray) -> float:
    """Seconds of ANTs' SyN with its defaults; one thread, the import is not timed."""
    import ants

    fixed, moving = (ants.from_numpy(plane.astype(np.float32)) for plane in pair)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        ants.registration(
            fixed, moving, type_of_transform="SyN", outprefix=f"{folder}/"
        )
        return time.perf_counter() - start


def denoising(plane: np.ndarray) -> dict[str, float]:
    """Seconds of two noise filters."""
    found = {}
    for name in ("non_local_means", "ants"):
        method = DENOISERS[name]
        start = time.perf_counter()
        method.apply(plane, method.options())
        found[name] = time.perf_counter() - start
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--height", type=float, default=6.0)
    parser.add_argument("--noise", type=float, default=40.0)
    parser.add_argument("--ants", action="store_true", help="also time ANTs")
    given = parser.parse_args()

    set_workers(1)
    films = pairs(given.size, given.height, given.noise)
    if given.ants:
        import ants

        ants.config.set_ants_deterministic()
        syn(films["rigid"][:, :128, :128])  # warm-up
    options = ResidualMotionParams(every_nth_frame=1)
    print(f"true rms of the wave {given.height / np.sqrt(2):.2f} px")
    print(f"{'pair':6s} reliable rms px p95 px coherence verdict      s   SyN / ours")
    for name, film in films.items():
        shifts = np.array([[0, 0], [7.3, -4.6] if name == "rigid" else [0, 0]])
        start = time.perf_counter()
        row = residual_motion(film, translations(shifts), options).iloc[0]
        ours = time.perf_counter() - start
        theirs = f"{syn(film) / ours:.0f}" if given.ants else ""
        print(
            f"{name:6s} {row['reliable_fraction']:8.2f} {row['rms_px']:6.2f} "
            f"{row['p95_px']:6.2f} {row['coherence']:9.2f} {row['verdict']:10s} "
            f"{ours:5.2f} {theirs:>6s}"
        )
    if given.ants:
        seconds = denoising(films["rigid"][0])
        ratio = seconds["ants"] / seconds["non_local_means"]
        print(f"denoising: ANTs takes {ratio:.1f} times non-local means' time")


if __name__ == "__main__":
    main()
