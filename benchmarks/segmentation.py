"""F1 of the segmentation methods on real images and on simulated movies.

    python benchmarks/segmentation.py [--data DIR]
    python benchmarks/methods_table.py --data DIR --only segmentation    # into the docs

The cell diameter is set per data set, as a user would; everything else is default.
Real truth: `nuclei_still` (instance masks), `laptrack_examples` (not hand-corrected),
`nuclei_timelapse` (labels of another classical method: agreement, not accuracy) and
`phase_contrast` (hand-drawn; halos and textures that no bright-cell method can follow).
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np

from _blocks import Block, as_markdown, share
from cyto_kedro.methods.segmentation import Segment, build_segmenter, clean_labels
from cyto_kedro.methods.segmentation.classical import ClassicalOptions
from cyto_kedro.methods.segmentation.otsu_watershed import OtsuWatershedOptions
from cyto_kedro.methods.segmentation.scoring import match_movie

PAGE = "docs/methods/segmentation.md"
BLOCKS = {"segmentation_real": PAGE, "segmentation_simulated": PAGE}
THRESHOLDS = (0.5, 0.7, 0.9)
SIMULATED_FRAMES = 6
CROWDS, LIGHTS = (1, 2), (1.0, 0.3, 0.1)
# Objects below this share of a typical cell's area are debris for every method.
LEAST_AREA = 0.1


@dataclass(frozen=True)
class Case:
    """Images with masks to compare to."""

    name: str
    images: list[np.ndarray]
    masks: list[np.ndarray]
    diameter_um: float
    pixel_um: float = 1.0


def real_cases(data: Path) -> Iterator[Case]:
    """The data sets of the folder; sizes are in pixels where no scale is known."""
    from skimage.io import imread
    from tifffile import imread as read

    still = data / "nuclei_still"
    yield Case(
        "nuclei_still",
        [read(still / "img2d.tif")],
        [read(still / "mask2d.tif")],
        26,
    )
    folder = data / "laptrack_examples"
    yield Case(
        "laptrack_examples",
        list(read(folder / "example_images.tif")),
        list(read(folder / "example_label.tif")),
        24,
    )
    folder = data / "nuclei_timelapse"
    yield Case(
        "nuclei_timelapse",
        list(read(folder / "cancer_cell_migration_crop.tif")[::6]),
        list(read(folder / "classical_labels.tif")[::6]),
        24,
    )
    sets = [data / "phase_contrast" / name for name in ("set46", "set47")]
    yield Case(
        "phase_contrast",
        [imread(one / "raw.tif") for one in sets],
        [imread(one / "instances_ids.png") for one in sets],
        45,
    )


def simulated_cases() -> Iterator[Case]:
    """Frames of the bundled simulator over signal-to-noise and density."""
    from cyto_kedro.simulation.movie import simulate
    from cyto_kedro.simulation.params import SimulationParams

    usual = SimulationParams()
    for crowd, light in itertools.product(CROWDS, LIGHTS):
        optics = usual.optics.model_copy(
            update={
                "effector_photons": light * usual.optics.effector_photons,
                "target_photons": light * usual.optics.target_photons,
            }
        )
        params = usual.model_copy(
            update={
                "optics": optics,
                "n_effectors": crowd * usual.n_effectors,
                "n_targets": crowd * usual.n_targets,
            }
        )
        movie = simulate(params)
        frames = np.linspace(0, movie.shape[0] - 1, SIMULATED_FRAMES).astype(int)
        for role, diameter in (("tcell", 8.5), ("cancer", 20.0)):
            yield Case(
                f"{role}, {crowd} x cells, {light:g} x light",
                [movie.frame(role, int(t)) for t in frames],
                [movie.mask(role, int(t)) for t in frames],
                diameter,
                params.pixel_size_um,
            )


def methods(case: Case) -> dict[str, Segment]:
    """Every method with the case's diameter."""
    spacing = case.pixel_um, case.pixel_um
    options = {
        "classical": ClassicalOptions(diameter_um=case.diameter_um),
        "otsu_watershed": OtsuWatershedOptions(
            smoothing_um=case.pixel_um, min_distance_um=case.diameter_um / 3
        ),
    }
    return {name: build_segmenter(name, o, spacing) for name, o in options.items()}


def score(case: Case, segment: Segment) -> tuple[str, float]:
    """F1 at each IoU, and seconds per megapixel."""
    least = LEAST_AREA * np.pi / 4 * case.diameter_um**2

    def run(image: np.ndarray) -> np.ndarray:
        return clean_labels(segment(image), case.pixel_um**2, min_area_um2=least)

    run(case.images[0])  # imports and compilation are no part of the time
    start = process_time()
    found = [run(image) for image in case.images]
    seconds = process_time() - start
    matched = match_movie(case.masks, found, THRESHOLDS)
    pixels = sum(image.size for image in case.images) / 1e6
    return " / ".join(share(m.f1) for m in matched), seconds / pixels


def row_of(case: Case) -> dict[str, str]:
    """Both methods, interleaved."""
    row = {"data": case.name}
    seconds = []
    for name, segment in methods(case).items():
        row[name], each = score(case, segment)
        seconds.append(each)
    return row | {"time, ratio": f"{seconds[0] / seconds[1]:.1f}"}


def blocks(data: Path | None) -> Iterator[Block]:
    """Real data where there are any, and simulated movies."""
    about = (
        "F1 at IoU 0.5 / 0.7 / 0.9, only the diameter set per data set, and processor "
        "time as ratio of the two, by `benchmarks/segmentation.py`. "
    )
    if data is not None:
        about_real = about + (
            "Only nuclei_still and phase_contrast were drawn by hand; the masks of "
            "laptrack_examples were not corrected and those of nuclei_timelapse are "
            "another classical method's:"
        )
        rows = [row_of(case) for case in real_cases(data)]
        yield Block(PAGE, "segmentation_real", about_real, rows)
    about_light = "The same on simulated movies with less light and more cells:"
    rows = [row_of(case) for case in simulated_cases()]
    yield Block(PAGE, "segmentation_simulated", about_light, rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the real data")
    for block in blocks(parser.parse_args().data):
        print(as_markdown(block.rows), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
