"""Real movies run by configuration only."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from project import Project

pytestmark = [pytest.mark.slow, pytest.mark.real_data]


def run(tmp_path, real_data, env):
    project = Project.create(tmp_path / "project")
    raw = project.folder / "data" / "01_raw"
    raw.mkdir(parents=True)
    (raw / env).symlink_to(real_data / env)
    done = project.kedro("run", "--env", env)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return project.runs()[-1]


def test_migrating_nuclei(tmp_path, real_data):
    folder = run(tmp_path, real_data, "nuclei_timelapse")
    movie = folder / "cancer_cell_migration_crop"
    summary = json.loads((movie / "summary.json").read_text())
    assert summary["n_frames"] == 48
    nuclei = summary["roles"]["nucleus"]
    # The reference labels hold 9 to 16 nuclei per frame, 13 in the median.
    assert 11 <= nuclei["median_cells_per_frame"] <= 16
    # Nuclei stay in view for hours: tracks must not break at every frame.
    assert nuclei["median_track_min"] >= 60
    table = pd.read_parquet(movie / "result_table.parquet")
    assert table["alive_probability"].isna().all()  # no death marker: not known
    assert (folder / "report.html").stat().st_size > 200_000


def test_intravital_cells_meet(tmp_path, real_data):
    folder = run(tmp_path, real_data, "two_channel_intravital")
    movie = folder / "mesenterium_TCYX_uint8"
    summary = json.loads((movie / "summary.json").read_text())
    assert summary["n_frames"] == 20
    assert summary["roles"]["leukocyte"]["median_cells_per_frame"] >= 10
    assert summary["contacts"]["leukocyte_platelet"]["n_episodes"] > 0
    # Dim and noisy: the report says that tracks are short instead of hiding it.
    assert any("fewer than" in text for text in summary["warnings"])
