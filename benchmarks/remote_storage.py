"""Outputs elsewhere beside a local disk: the same save and load, interleaved.

    python benchmarks/remote_storage.py [--frames 32] [--docs docs/storage.md]

Starts a Ceph RADOS Gateway with its data in memory and a PostgreSQL on this machine,
as the tests do: what is measured is the protocol and the service's own work, not a
network.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from backends.ceph import Ceph  # noqa: E402
from backends.postgres import Postgres  # noqa: E402
from cyto_kedro.datasets import OmeZarrDataset, TableDataset  # noqa: E402

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def stack(frames: int) -> da.Array:
    """Noise of a camera, 1024 x 1024 x 16 bit, already in memory."""
    shape = (frames, 1024, 1024)
    pixels = np.random.default_rng(0).normal(400, 30, shape).astype(np.uint16)
    return da.from_array(pixels, chunks=(1, 1024, 1024))


def tracks(rows: int) -> pd.DataFrame:
    """A table like that of tracks."""
    noise = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "frame": np.arange(rows, dtype=np.int32) // 500,
            "label": (np.arange(rows) % 500).astype(np.uint32),
            "track_id": pd.array(np.arange(rows) % 700, dtype="Int64"),
            **{name: noise.normal(size=rows) for name in ("x_um", "y_um", "area_um2")},
        }
    )


def measure(
    datasets: dict[str, Any], data: Any, load: Callable[[Any], Any], rounds: int
) -> dict[str, tuple[float, float]]:
    """Median seconds of save and load of each, taken in turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in datasets}
    for _ in range(rounds + 1):
        for name, dataset in datasets.items():
            begin = time.perf_counter()
            dataset.save(data)
            saved = time.perf_counter()
            load(dataset)
            times[name].append((saved - begin, time.perf_counter() - saved))
    # The first round opens connections and creates tables.
    return {
        name: (
            median(save for save, _ in found[1:]),
            median(load for _, load in found[1:]),
        )
        for name, found in times.items()
    }


def lines(what: str, found: dict[str, tuple[float, float]]) -> list[str]:
    """Rows of the table: seconds as multiples of the local disk's, the first one."""
    base = next(iter(found.values()))
    return [
        f"| {what} | {name} | {save / base[0]:.1f} | {load / base[1]:.1f} |"
        for name, (save, load) in found.items()
    ]


def run(folder: Path, ceph: Ceph, postgres: Postgres, options: Any) -> list[str]:
    """Measure images and tables."""
    from s3fs import S3FileSystem

    access = ceph.credentials | {"timeout_s": 60}
    names = {k: access[k] for k in ("key", "secret", "endpoint_url")}
    S3FileSystem(**names).call_s3("create_bucket", Bucket="cells")
    images = {
        "local disk": OmeZarrDataset(folder / "image.zarr"),
        "ceph://": OmeZarrDataset("ceph://cells/image.zarr", credentials=access),
    }
    rows = postgres.credentials | {"timeout_s": 120}
    tables = {
        "local disk": TableDataset(folder / "t.parquet"),
        "ceph://": TableDataset("ceph://cells/t.parquet", credentials=access),
        "db://": TableDataset(postgres.uri("t", run_id="r"), credentials=rows),
    }
    moving, still = stack(options.frames), tracks(options.rows)
    found = measure(images, moving, lambda d: d.load().compute(), options.rounds)
    size = f"image, {options.frames} frames of 2 MiB"
    table = lines(size, found)
    found = measure(tables, still, lambda d: d.load(), options.rounds)
    return table + lines(f"table, {options.rows:,} rows of 6 columns", found)


def main() -> None:
    """Measure, print, and enter the table into the docs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--docs", type=Path, help="page with a place for the table")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cyto_remote_"))
    home = Path(tempfile.mkdtemp(prefix="cyto_postgres_"))
    ceph, postgres = Ceph(folder / "ceph"), Postgres(home)
    try:
        ceph.start()
        postgres.start()
        table = run(folder, ceph, postgres, options)
    finally:
        ceph.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
    head = ["| what | where | save | load |", "|---|---|---:|---:|"]
    text = "\n".join(head + table)
    print(text)
    if options.docs is not None:
        page = options.docs.read_text("utf-8")
        before, _, rest = page.partition(BEGIN)
        after = rest.partition(END)[2]
        options.docs.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
