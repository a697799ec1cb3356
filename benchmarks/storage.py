"""Which store for images and labels: bytes x time, interleaved in one run.

    python benchmarks/storage.py [--frames 12] [--size 1200] [--repeats 3]

Ratios are to an uncompressed file per frame (`numpy.save`). The row marked * is what
`cyto_kedro.datasets.store` writes; the last rows are networks (GraphML).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import tifffile
import zarr
from scipy.ndimage import gaussian_filter
from zarr.codecs import BloscCodec

from cyto_kedro.core.frames import compute_frame
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.datasets import NetworkDataset, OmeZarrDataset

Read = Callable[[int], np.ndarray]
Pair = tuple[Callable[[Path, np.ndarray], None], Callable[[Path], Read]]


def stacks(frames: int, size: int) -> dict[str, np.ndarray]:
    """A Poisson image of blurred cells, and label discs on a grid."""
    rng = np.random.default_rng(0)
    cells = gaussian_filter(rng.random((size, size)), 8)
    cells = (cells - cells.min()) / np.ptp(cells)
    image = rng.poisson(100 + 800 * cells, (frames, size, size)).astype(np.uint16)
    y, x = np.indices((size, size))
    inside = (y % 45 - 22) ** 2 + (x % 45 - 22) ** 2 < 300
    ids = 1 + (y // 45) * (size // 45 + 1) + x // 45
    labels = np.where(inside, ids, 0).astype(np.uint32)
    moved = [np.roll(labels, (t, 2 * t), (0, 1)) for t in range(frames)]
    return {"image": image, "label": np.stack(moved)}


def save_npy(path: Path, stack: np.ndarray) -> None:
    path.mkdir()
    for t, plane in enumerate(stack):
        np.save(path / f"{t}.npy", plane)


def open_npy(path: Path) -> Read:
    return lambda t: np.load(path / f"{t}.npy")


def zarr_pair(codec: BloscCodec | None, shard: int | None = None) -> Pair:
    def save(path: Path, stack: np.ndarray) -> None:
        frame = stack.shape[1:]
        array = zarr.create_array(
            path,
            shape=stack.shape,
            chunks=(1, *frame),
            shards=(shard, *frame) if shard else None,
            dtype=stack.dtype,
            compressors=codec,
        )
        step = shard or 1
        for t in range(0, len(stack), step):
            array[t : t + step] = stack[t : t + step]

    def opened(path: Path) -> Read:
        array = zarr.open_array(path, mode="r")
        return lambda t: np.asarray(array[t])

    return save, opened


def tiff_pair(compression: str) -> Pair:
    def save(path: Path, stack: np.ndarray) -> None:
        path.mkdir()
        for t, plane in enumerate(stack):
            tifffile.imwrite(path / f"{t}.tif", plane, compression=compression)

    return save, lambda path: lambda t: tifffile.imread(path / f"{t}.tif")


def ours(kind: str) -> Pair:
    def save(path: Path, stack: np.ndarray) -> None:
        OmeZarrDataset(path, kind=kind).save(stack)

    def opened(path: Path) -> Read:
        stack = OmeZarrDataset(path, kind=kind).load()
        return lambda t: compute_frame(stack, t)

    return save, opened


def candidates(kind: str) -> dict[str, Pair]:
    found: dict[str, Pair] = {"npy": (save_npy, open_npy), "zarr raw": zarr_pair(None)}
    for name, level in (("lz4", 1), ("lz4", 5), ("zstd", 1), ("zstd", 5)):
        for shuffle in ("shuffle", "bitshuffle"):
            codec = BloscCodec(cname=name, clevel=level, shuffle=shuffle)
            found[f"zarr {name}{level} {shuffle}"] = zarr_pair(codec)
    codec = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
    found["zarr lz45 bitshuffle, shards of 4"] = zarr_pair(codec, shard=4)
    found["tiff zlib"] = tiff_pair("zlib")
    found[f"* OmeZarrDataset({kind})"] = ours(kind)
    return found


def measure(kind: str, stack: np.ndarray, repeats: int, folder: Path) -> None:
    pairs = candidates(kind)
    writes: dict[str, list[float]] = {name: [] for name in pairs}
    reads: dict[str, list[float]] = {name: [] for name in pairs}
    sizes: dict[str, int] = {}
    for _ in range(repeats):
        for name, (save, opened) in pairs.items():
            path = folder / "store.zarr"
            start = time.perf_counter()
            save(path, stack)
            writes[name].append(time.perf_counter() - start)
            start = time.perf_counter()
            read = opened(path)
            for t in range(len(stack)):
                read(t)
            reads[name].append(time.perf_counter() - start)
            files = [p for p in path.rglob("*") if p.is_file()]
            sizes[name] = sum(p.stat().st_size for p in files)
            shutil.rmtree(path)
    base_write, base_read = (statistics.median(x["npy"]) for x in (writes, reads))
    print(f"\n{kind}: {stack.shape} {stack.dtype}")
    print(f"{'store':36s} {'bytes':>7s} {'write':>7s} {'read':>7s}  (npy = 1)")
    for name in pairs:
        save_s, read_s = (statistics.median(x[name]) for x in (writes, reads))
        print(
            f"{name:36s} {sizes[name] / stack.nbytes:7.3f} {save_s / base_write:7.2f} "
            f"{read_s / base_read:7.2f}"
        )


def measure_networks(nodes: int, edges: int, folder: Path) -> None:
    rng = np.random.default_rng(0)
    graph = nx.MultiGraph(movie="w1")
    for node in range(nodes):
        graph.add_node(node, frame=node // 700, role="tcell", y_um=float(rng.random()))
    for a, b in rng.integers(0, nodes, (edges, 2)).tolist():
        graph.add_edge(a, b, graph="delaunay", length_um=float(rng.random()))
    path = folder / "n.graphml"
    times = []
    for save, load in (
        (NetworkDataset(path).save, NetworkDataset(path).load),
        (
            lambda g: nx.write_graphml_xml(g, path),
            lambda: nx.read_graphml(path, node_type=int, force_multigraph=True),
        ),
    ):
        start = time.perf_counter()
        save(graph)
        middle = time.perf_counter()
        load()
        times.append((middle - start, time.perf_counter() - middle))
    (write, read), (nx_write, nx_read) = times
    print(f"\nGraphML, {nodes} nodes, {edges} edges: networkx / ours")
    print(f"write {nx_write / write:.1f}x, read {nx_read / read:.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--size", type=int, default=1200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    set_workers(args.threads)
    with tempfile.TemporaryDirectory() as name:
        for kind, stack in stacks(args.frames, args.size).items():
            measure(kind, stack, args.repeats, Path(name))
        measure_networks(56_000, 170_000, Path(name))


if __name__ == "__main__":
    main()
