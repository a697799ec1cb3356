"""Neighbour graphs: ratio against qhull alone and a scan of radii; a whole movie.

The scan does what the predecessor does to find the radius that connects all cells: it
tries one radius after another. Mixing against a loop over edges, density maps against
scipy's gaussian_kde. All in one process, interleaved, medians of CPU time.

    python benchmarks/networks.py
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import networkx as nx
import numpy as np
import pandas as pd
from scipy.spatial import Delaunay
from scipy.spatial.distance import pdist, squareform
from scipy.stats import gaussian_kde

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import CONTACTS
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.networks.graphs import position_edges
from cyto_kedro.methods.networks.mixing import MixingOptions, mixing_table
from cyto_kedro.methods.networks.neighbours import connecting_radius, delaunay_edges
from cyto_kedro.methods.spatial.density import DensityOptions, density_map
from cyto_kedro.pipelines.networks.nodes import build_networks
from cyto_kedro.pipelines.networks.params import NetworksParams


def ours(points: np.ndarray) -> float:
    """Delaunay graph and connecting radius."""
    return connecting_radius(points, delaunay_edges(points))


def scan(points: np.ndarray, step: float = 1.0) -> float:
    """Grow the radius until networkx says that the graph is connected."""
    distance, radius = squareform(pdist(points)), step
    while not nx.is_connected(nx.from_numpy_array(distance <= radius)):
        radius += step
    return radius


def seconds(function: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def one_frame(sizes: list[int], repeats: int) -> None:
    """Print the table of one frame."""
    print(
        f"{'points':>7}{'qhull ms':>10}{'ours ms':>9}{'x qhull':>9}{'scan / ours':>13}"
    )
    for size in sizes:
        rng = np.random.default_rng(size)
        points = rng.uniform(0, 780, (size, 2))
        taken: dict[str, list[float]] = {"qhull": [], "ours": [], "scan": []}
        for repeat in range(repeats):
            taken["qhull"].append(seconds(lambda p=points: Delaunay(p)))
            taken["ours"].append(seconds(lambda p=points: ours(p)))
            if repeat == 0 and size < 1000:
                taken["scan"].append(seconds(lambda p=points: scan(p)))
        qhull, own = np.median(taken["qhull"]), np.median(taken["ours"])
        slow = f"{taken['scan'][0] / own:13.0f}" if taken["scan"] else f"{'-':>13}"
        print(f"{size:7}{1e3 * qhull:10.2f}{1e3 * own:9.2f}{own / qhull:9.2f}{slow}")


def movie(n_frames: int, n_cells: int) -> dict[str, pd.DataFrame]:
    """Two roles of random cells and a few contacts."""
    rng = np.random.default_rng(0)

    def role(count: int) -> pd.DataFrame:
        frame = np.repeat(np.arange(n_frames), count)
        label = np.tile(np.arange(1, count + 1), n_frames)
        y, x = rng.uniform(0, 780, (2, len(frame)))
        columns = {"frame": frame, "label": label, "track_id": label}
        return pd.DataFrame(
            columns | {"y_um": y, "x_um": x, "time_min": frame.astype(float)}
        )

    tcell, cancer = role(n_cells * 7 // 10), role(n_cells * 3 // 10)
    touching = cancer.sample(frac=0.5, random_state=0)
    contacts = pd.DataFrame(
        {
            "frame": touching["frame"],
            "effector": "tcell",
            "target": "cancer",
            "effector_label": touching["label"],
            "target_label": touching["label"],
            "effector_track_id": touching["track_id"],
            "target_track_id": touching["track_id"],
            "distance_um": 1.0,
            "boundary_um": 3.0,
            "in_contact": True,
        }
    ).astype(
        {c: CONTACTS.columns[c].dtype for c in ("effector_track_id", "in_contact")}
    )
    return {
        "tracks:tcell": tcell,
        "tracks:cancer": cancer,
        "contacts:tcell_cancer": contacts,
    }


def dealt_by_loop(roles: np.ndarray, ends: np.ndarray, deals: int) -> list[int]:
    """Heterotypic edges of each deal, edge by edge."""
    rng = np.random.default_rng(0)
    counts = []
    for _ in range(deals):
        dealt = rng.permutation(roles)
        counts.append(sum(dealt[a] != dealt[b] for a, b in ends.tolist()))
    return counts


def space(
    tables: dict[str, pd.DataFrame], calibration: Calibration, repeats: int
) -> None:
    """Print mixing against a loop, density maps against gaussian_kde."""
    cells = MovieCells.of(
        {name: tables[f"tracks:{name}"] for name in ("tcell", "cancer")}
    )
    edges, _, _ = position_edges(cells, calibration.n_frames, NetworksParams())
    times, one = calibration.times_min, tables["tracks:cancer"]
    first = one[one["frame"] < 2]
    density = DensityOptions(windows=1)
    small = Calibration.regular((2, 1200, 1200), 0.65)
    grid = density_map(first, small, density)[["y_um", "x_um"]].to_numpy().T
    taken: dict[str, list[float]] = {k: [] for k in ("mix", "loop", "map", "kde")}
    deals = MixingOptions()
    for repeat in range(repeats):
        taken["mix"].append(
            seconds(lambda: mixing_table("delaunay", cells, edges, times, deals))
        )
        if repeat == 0:
            taken["loop"].append(
                seconds(lambda: dealt_by_loop(cells.role, edges.ends, 2)) / 2 * 199
            )
        taken["map"].append(seconds(lambda: density_map(first, small, density)))
        taken["kde"].append(
            seconds(lambda: gaussian_kde(first[["y_um", "x_um"]].T)(grid))
        )
    mix, loop, own, kde = (float(np.median(v)) for v in taken.values())
    print(
        f"mixing, {len(edges.ends)} edges, 199 deals: {mix:.2f} s, "
        f"{loop / mix:.0f} times a loop (2 deals timed)"
    )
    print(
        f"density of {len(first)} points on {grid.shape[1]} places: {1e3 * own:.1f} ms,"
        f" {kde / own:.0f} times scipy's gaussian_kde"
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[137, 274, 684, 1363])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--cells", type=int, default=700)
    options = parser.parse_args()
    one_frame(options.sizes, options.repeats)
    tables = movie(options.frames, options.cells)
    calibration = Calibration.regular((options.frames, 1200, 1200), 0.65)
    tracemalloc.start()
    graph, *_ = build_networks(calibration, NetworksParams(), **tables)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    taken = seconds(lambda: build_networks(calibration, NetworksParams(), **tables))
    print(
        f"movie of {options.frames} frames x {options.cells} cells: {taken:.2f} s, "
        f"{graph.number_of_nodes()} nodes, {graph.number_of_edges()} edges, "
        f"peak {peak / 2**20:.0f} MiB"
    )
    space(tables, calibration, options.repeats)


if __name__ == "__main__":
    main()
