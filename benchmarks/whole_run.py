"""A whole `kedro run` on 80 x 1200 x 1200 px, two channels: wall time and peak memory.

Peak memory is the summed PSS of the process tree minus that of a process which only
imports what a run imports. The framework's share is the wall time of the run outside
of loading, computing and saving, from `run_metadata.json`.

    python benchmarks/whole_run.py [--frames 80] [--size 1200] [--cells 300]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from _peak import run_and_watch

REPOSITORY = Path(__file__).resolve().parents[1]
IMPORTS = (
    "import time, cyto_kedro.settings, cyto_kedro.pipeline_registry, numba, ants, "
    "skimage.segmentation, scipy.optimize, networkx, matplotlib.figure, pandas, "
    "pandera.pandas, zarr, dask.array; time.sleep(1)"
)


def main() -> None:
    """Build the workload, run it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--size", type=int, default=1200)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=None, help="keep the project")
    options = parser.parse_args()
    if options.folder is None:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), options)
    else:
        measure(options.folder, options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Run once in a project of its own."""
    from cyto_kedro.simulation import synthetic_workload

    project = folder / "project"
    project.mkdir(parents=True)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(REPOSITORY / name, project)
    shutil.copytree(REPOSITORY / "conf", project / "conf")
    (project / "src").mkdir()  # Kedro insists on it
    raw = project / "data" / "01_raw" / "example"
    synthetic_workload(
        raw,
        n_frames=options.frames,
        size=options.size,
        n_cells=options.cells,
    )
    _, _, imports = run_and_watch([sys.executable, "-c", IMPORTS], project)
    code, wall, peak = run_and_watch([sys.executable, "-m", "kedro", "run"], project)
    run = sorted((project / "data/08_reporting/cytotoxicity").glob("run_*"))[-1]
    said = json.loads((run / "run_metadata.json").read_text())
    seconds = said["seconds"]
    print(f"{options.frames} x {options.size} x {options.size} px, exit code {code}")
    print(f"wall {wall:.1f} s, of which start-up {seconds['startup']:.1f} s")
    print(
        f"framework {seconds['framework']:.2f} s = "
        f"{100 * seconds['framework'] / seconds['wall']:.1f} % of the run"
    )
    print(
        f"peak {(peak - imports) / 2**20:.0f} MiB above imports "
        f"({imports / 2**20:.0f} MiB)"
    )
    print(f"{'node':34s} {'load s':>8s} {'compute s':>10s} {'save s':>8s} {'MiB':>7s}")
    for node in sorted(said["nodes"], key=lambda n: -n["compute_s"]):
        peak_mib = node["peak_memory_mib"] or float("nan")
        print(
            f"{node['node']:34s} {node['load_s']:8.2f} {node['compute_s']:10.2f} "
            f"{node['save_s']:8.2f} {peak_mib:7.0f}"
        )


if __name__ == "__main__":
    main()
