"""Tabulation per frame: ratio against scikit-image and SimpleITK, peak memory.

Both peers compute the same figures of one channel: bounding box, centroid, area,
perimeter, Feret diameter, principal moments, sum, mean, median, standard deviation.
SimpleITK is taken where it is installed. One thread, interleaved, median CPU time;
"pass" is one sum over labels and image, the floor set by memory.

    python benchmarks/tabulation.py --cells 200 700 2000
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from skimage.measure import regionprops_table

from _label_stacks import cells, interleaved
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.tabulation import tabulate_movie


def median(mask: np.ndarray, image: np.ndarray) -> float:
    """Extra property for scikit-image."""
    return float(np.median(image[mask]))


def with_skimage(labels: np.ndarray, image: np.ndarray) -> dict[str, np.ndarray]:
    """The same figures by scikit-image."""
    properties = ("label", "bbox", "centroid", "area", "perimeter_crofton")
    properties += ("feret_diameter_max", "inertia_tensor_eigvals")
    properties += ("intensity_mean", "intensity_std")
    return regionprops_table(
        labels, image, properties=properties, extra_properties=(median,)
    )


def with_simpleitk(labels: np.ndarray, image: np.ndarray) -> int:
    """The same figures by SimpleITK's two label filters."""
    import SimpleITK as sitk

    mask, signal = sitk.GetImageFromArray(labels), sitk.GetImageFromArray(image)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputeFeretDiameterOn()
    shape.ComputePerimeterOn()
    shape.Execute(mask)
    intensity = sitk.LabelIntensityStatisticsImageFilter()
    intensity.Execute(mask, signal)
    for name in shape.GetLabels():
        shape.GetBoundingBox(name), shape.GetCentroid(name)
        shape.GetPhysicalSize(name), shape.GetPerimeter(name)
        shape.GetFeretDiameter(name), shape.GetElongation(name)
        intensity.GetSum(name), intensity.GetMean(name)
        intensity.GetMedian(name), intensity.GetStandardDeviation(name)
    return len(shape.GetLabels())


def with_ours(labels: np.ndarray, image: np.ndarray, n_frames: int) -> pd.DataFrame:
    """A movie of equal frames: all columns of the detections table, background too."""
    height, width = labels.shape
    valid = {"valid_y0": 0, "valid_y1": height, "valid_x0": 0, "valid_x1": width}
    shape = (n_frames, height, width)
    return tabulate_movie(
        np.broadcast_to(labels, shape),
        {"a": np.broadcast_to(image, shape)},
        Calibration.regular(shape),
        pd.DataFrame({"frame": range(n_frames)}).assign(**valid),
        role="cell",
        own_channel="a",
    )[0]


def memory_pass(labels: np.ndarray, image: np.ndarray) -> int:
    """Read both arrays once."""
    return int(labels.sum() + image.sum())


def main() -> None:
    """Print one row per cell count and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[200, 700, 2000])
    parser.add_argument("--size", type=int, default=1200)
    parser.add_argument("--frames", type=int, default=20, help="of our movie")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    set_workers(1)
    print("cells  method        ms/frame   ratio  extra MiB")
    for n in options.cells:
        labels = cells(n, options.size, 0.3, seed=n)
        image = np.random.default_rng(n).poisson(500, labels.shape).astype(np.uint16)
        jobs: dict[str, Callable[[], Any]] = {
            "cyto_kedro": partial(with_ours, labels, image, options.frames),
            "scikit-image": partial(with_skimage, labels, image),
        }
        if find_spec("SimpleITK"):
            jobs["SimpleITK"] = partial(with_simpleitk, labels, image)
        jobs["pass"] = partial(memory_pass, labels, image)
        results = interleaved(jobs, options.repeats)
        seconds, mib = results["cyto_kedro"]
        ours = seconds / options.frames
        results["cyto_kedro"] = ours, mib
        for name, (seconds, mib) in results.items():
            print(
                f"{len(np.unique(labels)) - 1:5d}  {name:12s} {seconds * 1e3:9.2f} "
                f"{seconds / ours:7.2f} {mib:10.0f}"
            )


if __name__ == "__main__":
    main()
