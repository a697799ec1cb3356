"""A large frame whole and in tiles: the same cells, time and memory.

    python benchmarks/tiling.py [--side 4000]
    python benchmarks/methods_table.py --only tiling    # into the docs

Touching cells of unequal brightness under light that falls to a third across the frame.
Each way runs in a process of its own; memory is its peak above what it held with the
frame loaded (Linux only).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from _blocks import Block, as_markdown, share
from cyto_kedro.methods.segmentation import build_segmenter
from cyto_kedro.methods.segmentation.classical import ClassicalOptions
from cyto_kedro.methods.segmentation.scoring import match_cells
from cyto_kedro.methods.segmentation.tiling import TilesOptions

BLOCKS = {"tiling": "docs/methods/segmentation.md"}
DIAMETER = 20.0
PATCH = 500


def frame(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey values and masks, (side, side); patches repeat, light and noise do not."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:PATCH, :PATCH]
    truth = np.zeros((PATCH, PATCH), np.uint32)
    light = np.zeros((PATCH, PATCH), np.float32)
    for number in range(1, PATCH * PATCH // 1600):
        y, x = rng.uniform(0, PATCH, 2)
        a, b = DIAMETER / 2 * rng.uniform(0.8, 1.3, 2)
        cell = (((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1) & (truth == 0)
        truth[cell], light[cell] = number, rng.uniform(60, 300)
    times = -(-side // PATCH)
    copies = np.arange(times * times, dtype=np.uint32).reshape(times, times)
    offsets = np.kron(copies, np.full((PATCH, PATCH), truth.max(), np.uint32))
    tiled = np.tile(truth, (times, times))
    masks = np.where(tiled > 0, tiled + offsets, 0).astype(np.uint32)[:side, :side]
    clear = (np.tile(light, (times, times))[:side, :side] + 200) * np.linspace(
        1.2, 0.4, side, dtype=np.float32
    )
    return rng.poisson(clear).astype(np.uint16), masks


def memory_kib(key: str) -> int:
    """Memory of this process as the kernel counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def child(image: Path, found: Path, size: int | None) -> None:
    """Segment in this process and print what it took."""
    options = ClassicalOptions(diameter_um=DIAMETER)
    pixels = np.load(image)
    segment = build_segmenter(
        "classical", options, (1.0, 1.0), TilesOptions(size_px=size)
    )
    segment(pixels[:600, :600])  # imports and compilation
    before = memory_kib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start = time.perf_counter()
    labels = segment(pixels)
    seconds = time.perf_counter() - start
    peak = memory_kib("VmHWM")
    np.save(found, labels)
    print(json.dumps({"seconds": seconds, "mib": (peak - before) / 1024}))


def measured(side: int) -> list[dict[str, str]]:
    """One line per way."""
    ways = {"whole": None, "tiles of 1500 px": 1500, "tiles of 750 px": 750}
    rows, cells, first = [], None, None
    image, truth = frame(side)
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "image.npy", Path(scratch) / "labels.npy"
        np.save(source, image)
        for name, size in ways.items():
            command = [sys.executable, __file__, "--child", str(source), str(target)]
            done = subprocess.run(
                [*command, "--size", str(size or 0)],
                check=True,
                capture_output=True,
                text=True,
            )
            took = json.loads(done.stdout)
            labels = np.load(target)
            cells = labels if cells is None else cells
            first = first or took["seconds"]
            rows.append(
                {
                    "": name,
                    "F1 at IoU 0.7": share(match_cells(truth, labels, [0.7])[0].f1, 4),
                    "as the whole at IoU 0.9": share(
                        match_cells(cells, labels, [0.9])[0].f1, 4
                    ),
                    "memory (MiB)": f"{took['mib']:.0f}",
                    "time, ratio": f"{took['seconds'] / first:.2f}",
                }
            )
    return rows


def blocks(data: Path | None = None, side: int = 4000) -> Iterator[Block]:
    """One table."""
    about = (
        f"`classical` on a frame of {side} x {side} px, by `benchmarks/tiling.py`; "
        "memory is what it takes beyond the frame itself:"
    )
    yield Block(BLOCKS["tiling"], "tiling", about, measured(side))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4000)
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(*asked.child, asked.size or None)
        return
    for block in blocks(None, asked.side):
        print(as_markdown(block.rows))


if __name__ == "__main__":
    main()
