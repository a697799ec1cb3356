"""Hashing a run again: `kedro cyto verify` against coreutils' sha256sum, interleaved.

A store of chunks like that of a large movie; the page cache is warm for both, so that
hashing and opening files is what is compared, not the disk.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from cyto_kedro.core.parallel import workers
from cyto_kedro.provenance.hashing import sha256_of
from cyto_kedro.provenance.manifest import MANIFEST
from cyto_kedro.provenance.verify import verify_run


def make(folder: Path, stores: int, chunks: int, chunk_kib: int) -> None:
    """A run folder whose manifest lists some stores."""
    noise = np.random.default_rng(0)
    outputs = []
    for number in range(stores):
        store = folder / f"labels_{number}.zarr"
        store.mkdir()
        for chunk in range(chunks):
            (store / str(chunk)).write_bytes(noise.bytes(chunk_kib * 1024))
        outputs.append(
            f'{{"uri": "{store.as_uri()}", "sha256": "{sha256_of(store)}", '
            '"class": "output", "also": {}, "run_id": "r"}'
        )
    text = f'{{"folder": "{folder.as_uri()}", "outputs": [{", ".join(outputs)}]}}'
    (folder / MANIFEST).write_text(text)


def main() -> None:
    """Print seconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=4)
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--chunk-kib", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, given.stores, given.chunks, given.chunk_kib)
        files = sorted(folder.glob("*.zarr/*"))
        ours, theirs = [], []
        for _ in range(given.repeats):
            start = time.perf_counter()
            assert verify_run(folder, "r").code == 0
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            subprocess.run(["sha256sum", *files], stdout=subprocess.DEVNULL, check=True)
            theirs.append(time.perf_counter() - start)
    size = given.stores * given.chunks * given.chunk_kib / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(files)} files, {size:.0f} MiB, {workers()} of {os.cpu_count()} cores")
    print(f"verify     {median(ours):7.3f} s   peak memory {peak:.0f} MiB")
    print(f"sha256sum  {median(theirs):7.3f} s   (one thread)")
    print(f"ratio      {median(ours) / median(theirs):7.2f}")


if __name__ == "__main__":
    main()
