"""Contacts of one frame: ratio against boundary KD-trees and label expansion.

The KD-tree peer joins boundary pixels within reach (it misses cells inside cells); the
expansion peer grows the effectors by the reach and looks for overlaps (it misses second
partners and measures no distance). "pairs" shows what each finds. One thread,
interleaved, median CPU time; "read" sums both masks, the floor set by memory.

    python benchmarks/contacts.py --cells 200 700 2000
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.spatial import KDTree
from skimage.segmentation import expand_labels, find_boundaries

from _label_stacks import cells, interleaved
from cyto_kedro.methods.contacts import ContactLimits
from cyto_kedro.methods.contacts.frame import measure_frame


def with_ours(a: np.ndarray, b: np.ndarray, limits: ContactLimits) -> int:
    """All columns of the contacts table but the tracks."""
    return len(measure_frame(a, b, (1.0, 1.0), limits).distance_um)


def read(a: np.ndarray, b: np.ndarray) -> int:
    """Read both masks once; finds nothing."""
    return 0 * int(a.sum() + b.sum())


def with_trees(a: np.ndarray, b: np.ndarray, reach: float) -> int:
    """Least distance of each pair of cells by KD-trees of the boundary pixels."""
    on_a, on_b = (np.argwhere(find_boundaries(x, mode="inner")) for x in (a, b))
    close = KDTree(on_a).sparse_distance_matrix(
        KDTree(on_b), reach, output_type="ndarray"
    )
    keys = a[tuple(on_a[close["i"]].T)].astype(np.int64) << 32
    keys |= b[tuple(on_b[close["j"]].T)]
    pairs, which = np.unique(keys, return_inverse=True)
    least = np.full(len(pairs), np.inf)
    np.minimum.at(least, which, close["v"])
    return len(pairs)


def with_expansion(a: np.ndarray, b: np.ndarray, reach: float) -> int:
    """Pairs whose masks overlap after growing the effectors."""
    grown = expand_labels(a, reach)
    both = (grown > 0) & (b > 0)
    return len(np.unique(grown[both].astype(np.int64) << 32 | b[both]))


def main() -> None:
    """Print one row per cell count and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[200, 700, 2000])
    parser.add_argument("--size", type=int, default=1200)
    parser.add_argument("--reach", type=float, default=3.0, help="leave distance (px)")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    limits = ContactLimits(contact_um=1.5, leave_um=options.reach)
    print("cells  method       ms/frame   ratio  extra MiB  pairs")
    for n in options.cells:
        a = cells(int(0.7 * n), options.size, 0.2, seed=n)
        b = cells(int(0.3 * n), options.size, 0.2, seed=n + 1)
        jobs: dict[str, Callable[[], int]] = {
            "cyto_kedro": partial(with_ours, a, b, limits),
            "KD-trees": partial(with_trees, a, b, options.reach),
            "expansion": partial(with_expansion, a, b, options.reach),
            "read": partial(read, a, b),
        }
        results = interleaved(jobs, options.repeats)
        ours = results["cyto_kedro"][0]
        for name, (seconds, mib) in results.items():
            print(
                f"{n:5d}  {name:11s} {seconds * 1e3:9.2f} {seconds / ours:7.2f} "
                f"{mib:10.0f} {jobs[name]():6d}"
            )


if __name__ == "__main__":
    main()
