"""A hand-made movie through run-yaml, import-yaml and the Python call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from project import Project

pytestmark = pytest.mark.slow

FRAMES = 3
PIPELINE = """
channels: {NK: images/nk.tif, Tumour: images/tumour.tif}
spacing: [0.5, 0.5]
frame_interval_min: 2
output_dir: results
pipeline:
  segmentation:
    - {name: ImageToLabel, channels: all, args: null, output: false}
  label_to_sparse: {image_label_pair: [[NK, NK], [Tumour, Tumour]], output: true}
  tracking:
    - {name: TrackMate, channels: all, args: {linking_max_distance: 8}, output: true}
  postprocessing:
    - name: CrossCellContactMeasures
      channels: [[NK, Tumour]]
      input_type: [image, label, feature]
      output_type: [image, feature, network]
      args: {base_image: false}
      output_channel_name: [NKToTumour]
      output: true
"""
TABLE = Path("postprocessing/CrossCellContactMeasures/NKToTumour.csv")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three killers beside three tumour cells: apart, touching, overlapping."""
    made = Project.create(tmp_path / "p")
    killers, tumours = np.zeros((2, FRAMES, 120, 60), np.uint16)
    for number, gap in enumerate((5, 0, -2)):
        rows = slice(10 + 40 * number, 18 + 40 * number)
        killers[:, rows, 10:18] = number + 1
        tumours[:, rows, 18 + gap : 30 + gap] = 10 * (number + 1)
    (made.folder / "images").mkdir()
    for name, stack in (("nk", killers), ("tumour", tumours)):
        path = made.folder / f"images/{name}.tif"
        tifffile.imwrite(path, stack, photometric="minisblack")
    (made.folder / "hand.yaml").write_text(PIPELINE, encoding="utf-8")
    return made


def contacts(folder: Path) -> dict[int, tuple[bool, str]]:
    """By label of the killer: whether it is in contact, and with whom."""
    text = {"contacting cell labels": str}
    table = pd.read_csv(folder / TABLE, dtype=text, keep_default_na=False)
    assert table.groupby("label").size().to_dict() == dict.fromkeys((1, 2, 3), FRAMES)
    rows = table.groupby("label")[["contact", "contacting cell labels"]]
    return {label: tuple(row) for label, row in rows.first().iterrows()}


def test_touching_counts_unless_contacts_are_counted_as_pycyto(
    project: Project,
) -> None:
    done = project.kedro("cyto", "run-yaml", "hand.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    output = project.folder / "results"
    found = {1: (False, ""), 2: (True, "20"), 3: (True, "30")}
    assert contacts(output) == found
    lines = tifffile.imread(output / TABLE.with_suffix(".tif"))
    # Centroids are 10 px of 0.5 um apart: cells 2 touch, cells 3 overlap by 2 px.
    assert np.unique(lines[0, 50:58]).tolist() == [0, 5]
    assert np.unique(lines[0, 90:98]).tolist() == [0, 4]
    assert not lines[0, :30].any()

    call = "from cyto_kedro.api import run_yaml as r; import sys;"
    call += "made = r('hand.yaml', contacts='overlap');"
    call += "sys.exit(0 if made.files and made.run_id else 'nothing was written')"
    done = subprocess.run(
        [sys.executable, "-c", call],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert contacts(output) == found | {2: (False, "")}


def test_an_imported_environment_runs_as_it_is_told(project: Project) -> None:
    done = project.kedro("cyto", "import-yaml", "hand.yaml", "--env-name", "lab")
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.split("kedro run ")[1].split()
    assert told[:2] == ["--env", "lab"]
    conf = project.folder / "conf" / "lab"
    names = {path.name for path in conf.iterdir()}
    assert names == {
        *("globals.yml", "experiment.csv", "parameters_analysis.yml"),
        *("catalog.yml", "IMPORT.md"),
    }
    again = project.kedro("cyto", "import-yaml", "hand.yaml", "--env-name", "lab")
    assert again.returncode == 1 and "--force" in again.stdout + again.stderr
    done = project.kedro("run", *told)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (tracks,) = project.folder.glob("data/02_intermediate/**/NK/tracks.csv")
    assert set(pd.read_csv(tracks)["label"]) == {1, 2, 3}
    (episodes,) = project.folder.glob(
        "data/08_reporting/**/NK_Tumour_contact_episodes.csv"
    )
    assert len(pd.read_csv(episodes)) == 2
    assert not (project.folder / "results").exists()
