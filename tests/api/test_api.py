"""pyCyto's call style against hand-made movies and independent implementations."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage import exposure

from cyto_kedro import api
from cyto_kedro.core.errors import ConfigError, InputError


def two_squares(gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks of one square each, side by side; negative gaps overlap."""
    first, second = np.zeros((2, 3, 40, 40), np.uint32)
    first[:, 10:16, 10:16] = 1
    second[:, 10:16, 16 + gap : 22 + gap] = 7
    return first, second


def table_of(labels: np.ndarray, image: np.ndarray | None = None) -> pd.DataFrame:
    image = np.ones(labels.shape, np.uint16) if image is None else image
    found = api.LabelToSparse()({"image": image, "label": labels})
    return found["dataframe"]


def test_gamma_is_skimages() -> None:
    image = np.random.default_rng(0).integers(0, 4000, (2, 8, 8)).astype(np.uint16)
    ours = api.GammaCorrection(gamma=0.5, gain=1)({"image": image})["image"]
    # skimage rounds down to integers.
    theirs = exposure.adjust_gamma(image, gamma=0.5, gain=1)
    assert np.abs(ours - theirs).max() <= 1.01


def test_normalisation_and_merge() -> None:
    image = np.linspace(0, 100, 101, dtype=np.float32).reshape(1, 1, 101)
    found = api.PercentileNormalization(lp=10, up=60)({"image": image})["image"]
    assert np.allclose(found[0, 0], np.clip((image[0, 0] - 10) / 50, 0, 1), atol=1e-6)
    merged = api.ChannelMerge(weights=[1, 3])({"images": [image, 2 * image]})
    assert np.allclose(merged["image"], 1.75 * image)


def test_data_is_left_as_it_was() -> None:
    image = np.full((1, 8, 8), 5, np.uint16)
    data = {"image": image}
    api.GammaCorrection(gamma=2.0)(data)
    assert set(data) == {"image"} and (image == 5).all()


def test_tracking_follows_a_moving_cell() -> None:
    labels = np.zeros((4, 40, 60), np.uint32)
    for frame in range(4):
        labels[frame, 10:16, 5 + 10 * frame : 11 + 10 * frame] = frame + 1
        labels[frame, 30:33, 50:53] = 20  # nine pixels: debris
    table = table_of(labels)
    near = api.TrackMate(linking_max_distance=9, gap_closing_max_distance=9)
    far = api.TrackMate(linking_max_distance=11, size_min=20)
    assert near({"dataframe": table})["dataframe"]["TrackID"].nunique() == 5
    tracks = far({"dataframe": table})["dataframe"]
    assert tracks["TrackID"].nunique() == 1 and list(tracks["label"]) == [1, 2, 3, 4]


@pytest.mark.parametrize(("gap", "edge", "overlap"), [(0, 1, 0), (-2, 1, 1), (5, 0, 0)])
def test_touching_is_a_contact_but_no_overlap(
    gap: int, edge: int, overlap: int
) -> None:
    first, second = two_squares(gap)
    data = {
        "labels": [first, second],
        "dataframes": [table_of(first), table_of(second)],
    }
    for mode, wanted in (("edge", edge), ("overlap", overlap)):
        found = api.CrossCellContactMeasures(mode=mode)(data)
        assert found["dataframe"]["contact"].sum() == 3 * wanted
        assert [g.number_of_edges() for g in found["network"]] == [wanted] * 3
        assert set(found["dataframe"]["contacting cell labels"]) == {
            "7" if wanted else ""
        }
        assert np.allclose(found["dataframe"]["closest cell dist"], 6 + gap)


def test_motion_of_a_straight_track() -> None:
    labels = np.zeros((4, 20, 60), np.uint32)
    for frame in range(4):
        labels[frame, 5:10, 5 + 3 * frame : 10 + 3 * frame] = 1
    data = {"image": np.ones(labels.shape, np.uint16), "label": labels}
    segmented = api.LabelToSparse(spacing=0.5)(data)
    tracks = api.TrackMate(spacing=0.5)(segmented)
    speed = api.Kinematics(spacing=0.5)(tracks)["dataframe"]["speed_um_per_min"]
    # 3 px of 0.5 um per frame of 1 min; nothing comes before the first point.
    assert np.isnan(speed.iloc[0]) and np.allclose(speed.iloc[1:], 1.5)
    msd = api.MSD(spacing=0.5, max_lag=2)(tracks)["dataframe"]
    assert len(msd) and set(msd["lag_min"]) == {1.0, 2.0}
    lag = msd[msd["lag_min"] == 2.0]
    # (2 * 1.5 um)^2, where pyCyto's gives another value.
    assert np.allclose(lag["msd_um2"], 9.0)
    with pytest.raises(InputError, match="track_id"):
        api.Kinematics()(segmented)


def test_correlation_of_channels() -> None:
    one = np.random.default_rng(1).normal(100, 10, (2, 30, 30)).astype(np.float32)
    data = {"images": [one, 5 - 2 * one]}
    found = api.CrossChannelCorrelation()(data)["dataframe"]
    assert len(found) >= 2 and np.allclose(found["pearson"].dropna(), -1)


def test_triangulation_joins_all_cells_with_the_smallest_radius() -> None:
    labels = np.zeros((1, 50, 50), np.uint32)
    for label, column in enumerate((5, 15, 40), 1):
        labels[0, 20, column] = label
    (graph,) = api.CellTriangulation()({"dataframe": table_of(labels)})["network"]
    # 25 px joins the last cell; 35 px would be needed for the third edge.
    assert set(graph.edges) == {(1, 2), (2, 3)}
    assert graph.edges[2, 3]["length_um"] == 25.0


def test_tables_are_combined_and_filtered_by_cell() -> None:
    labels, _ = two_squares(0)
    bright = np.full(labels.shape, 30, np.uint16)
    tables = [table_of(labels, bright), table_of(labels, bright // 3)]
    shuffled = tables[1].sample(frac=1, random_state=1)
    found = api.CrossTableOperation(column="mean", operation="divide")(
        {"features": [tables[0], shuffled]}
    )
    assert (found["dataframe"]["mean_divide"] == 3).all()
    strict = api.FeatureFilter(column="frame", operation=">", value=1)
    assert list(strict({"feature": tables[0]})["feature"]["frame"]) == [2]


def test_what_is_missing_or_misspelt_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'lp'"):
        api.PercentileNormalization(lpp=5)
    with pytest.raises(InputError, match="no 'image'"):
        api.GammaCorrection()({"label": np.zeros((1, 2, 2))})
    with pytest.raises(ConfigError, match="did you mean 'docker'"):
        api.GammaCorrection(
            execution_config={"type": "container", "runner": "dcker", "image": "x"}
        )({"image": np.zeros((1, 2, 2))})


def test_a_module_runs_in_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An engine that does what is behind the image's name.
    engine = tmp_path / "docker"
    engine.write_text(
        f'#!/bin/bash\necho "$@" >> {tmp_path}/calls\n'
        "while [ $# -gt 0 ] && [ $1 != cellpose:latest ]; do shift; done\nshift 2\n"
        f"exec '{sys.executable}' \"$@\"\n"
    )
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    config = {"type": "container", "runner": "docker", "image": "cellpose:latest"}
    image = np.full((1, 4, 4), 0.25, np.float32)
    boxed = api.GammaCorrection(gamma=0.5, execution_config=config)
    assert np.allclose(boxed({"image": image})["image"], 0.5)
    assert "cyto_kedro.api" in (tmp_path / "calls").read_text()


def test_metadata_and_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = api.write_run_metadata(
        tmp_path / "run_metadata.json",
        pipeline="my_analysis",
        params={"channel": "ch0"},
        total_frames=80,
    )
    record = json.loads(path.read_text())
    assert record["pipeline"] == "my_analysis" and record["total_frames"] == 80
    assert record["params"] == {"channel": "ch0"} and len(record["run_id"]) == 16
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "config.def.toml").write_text(
        '[paths]\ndata_root = "data/datasets"\noutput_root = "output"\n'
    )
    (folder / "config.user.toml").write_text('[paths]\noutput_root = "/gpfs/out"\n')
    paths = api.load_notebook_config(folder)["paths"]
    assert paths["data_root"].name == "datasets"
    assert paths["output_root"] == Path("/gpfs/out")
    with pytest.raises(ConfigError, match=r"\[database\]"):
        api.load_db_config(folder)
