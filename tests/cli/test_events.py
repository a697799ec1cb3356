"""The check by eye: a sheet goes out, comes back filled, and corrects the run."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.cli.events import KEY, ORIGIN, PAGE, SHEET, export_events
from cyto_kedro.cli.events_import import import_events, origin_of, read_sheet
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.schemas import ATTRIBUTION, DEATHS, DRIFT, REVIEW
from cyto_kedro.pipelines.killing.params import KillingParams
from tables import filled, tracks_table

FRAMES, SIZE = 20, 40
KNOWN = Calibration.regular((FRAMES, SIZE, SIZE), frame_interval_min=2.0, movie="m1")
LAYOUT = Layout.model_validate(
    {
        "data_root": "a",
        "scratch_root": "b",
        "output_root": "c",
        "dataset": "d",
        "sheet": "e",
        "channels": {"green": {"files": "g"}, "red": {"files": "r"}},
        "roles": {
            "tcell": {"kind": "effector", "channels": ["green"]},
            "cancer": {"kind": "target", "channels": ["red"]},
        },
        "markers": {"death": {"channel": "red", "kind": "death"}},
    }
)


class FakeRun:
    """Two movies of four targets each, of which two died."""

    layout = LAYOUT

    def __init__(self, folder):
        self.folder, self.run = folder, SimpleNamespace(id="20260101T000000Z")
        killing = KillingParams().model_dump(mode="json")
        killing["survival"] |= {"n_bootstrap": 10, "n_permutations": 10}
        self.record = {"parameters": {"killing": killing}}
        targets, frames = np.arange(1, 5), np.arange(FRAMES)
        died = targets <= 2
        labels = np.zeros((FRAMES, SIZE, SIZE), np.uint32)
        labels[:, 15:25, 15:25] = 1
        self.data = {
            "calibration": KNOWN,
            "drift": filled(
                DRIFT,
                {"frame": frames, "valid_y1": SIZE, "valid_x1": SIZE},
            ),
            "conditions": pd.DataFrame(
                {"movie": ["m1", "m2"], "condition": ["killing", "control"]}
            ),
            "tcell.tracks": tracks_table(frames, 7, 20.0, 20.0, 2.0),
            "cancer.tracks": tracks_table(
                np.tile(frames, 4), np.repeat(targets, FRAMES), 20.0, 20.0, 2.0
            ),
            "cancer.deaths@movie": filled(
                DEATHS,
                {
                    "role": "cancer",
                    "track_id": targets,
                    "exit_frame": FRAMES - 1,
                    "entry_min": 0.0,
                    "exit_min": 38.0,
                    "peak_signal": 1.0,
                    "death_frame": pd.array([10, 12, None, None], "Int64"),
                    "death_time_min": [20.0, 24.0, None, None],
                    "censored": ~died,
                    "reason": np.where(died, "died", "end_of_movie"),
                },
            ),
            "cancer.attribution": filled(
                ATTRIBUTION,
                {
                    "target": "cancer",
                    "target_track_id": [1, 2],
                    "death_frame": [10, 12],
                    "effector": ["tcell", None],
                    "effector_track_id": pd.array([7, None], "Int64"),
                    "credit_hazard": [0.9, 0.0],
                    "credit_shared": [1.0, 0.0],
                    "background_probability": [0.1, 1.0],
                },
            ),
        }
        for role, channel in (("tcell", "green"), ("cancer", "red")):
            self.data[f"{role}.labels"] = labels
            self.data[f"{channel}.image"] = labels.astype(np.float32)

    def movies(self, only=None):
        return [only] if only else ["m1", "m2"]

    def load(self, name, movie=None):
        return self.data[name]

    def has(self, name, movie=None):
        return name in self.data


@pytest.fixture
def run(tmp_path):
    return FakeRun(tmp_path / "run")


@pytest.fixture
def folder(run):
    return export_events(run, None, None)


def fill(folder, answers, name=SHEET, **columns):
    """Answer by the key: {(movie, kind, track): answer}, or one for all."""
    sheet = pd.read_csv(folder / SHEET, dtype=str, keep_default_na=False)
    key = pd.read_csv(folder / KEY)
    said = [
        answers.get((m, k, t), "") if isinstance(answers, dict) else answers
        for m, k, t in zip(key["movie"], key["kind"], key["track_id"], strict=True)
    ]
    sheet.assign(answer=said, **columns).to_csv(folder / name, index=False)
    return folder / name


def test_each_event_has_a_question_a_picture_and_no_call(folder):
    sheet = pd.read_csv(folder / SHEET)
    assert "called" not in sheet.columns
    assert len(sheet) == 2 * (2 + 2 + 1), "deaths, living cells, a killer; two movies"
    for path in sheet["picture"]:
        root = ET.parse(folder / path).getroot()
        assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) > 2
    page = (folder / PAGE).read_text()
    assert page.count("<fieldset>") == len(sheet)
    assert "called" not in page.split("<form")[1].split("</form>")[0].replace(
        "which was called dead", ""
    )
    REVIEW.validate(REVIEW.conform(pd.read_csv(folder / KEY)))


def test_a_folder_that_may_hold_answers_is_left_alone(run, folder):
    with pytest.raises(ConfigError, match="not empty"):
        export_events(run, None, None)


def test_full_agreement_changes_nothing(run, folder):
    key = pd.read_csv(folder / KEY)
    answers = {
        (r.movie, r.kind, r.track_id): "yes" if r.called else "no"
        for r in key.itertuples()
    }
    outcome = import_events(run, fill(folder, answers))
    table = pd.read_csv(outcome.folder / "agreement.csv").set_index("kind")
    assert table.loc["death", "kappa"] == 1 and table.loc["death", "n"] == 8
    for movie in ("m1", "m2"):
        own = pd.read_csv(outcome.folder / movie / "cancer_deaths.csv")
        before = run.data["cancer.deaths@movie"]
        assert own["reason"].tolist() == before["reason"].tolist()
    assert "4 deaths before, 4 after" in " ".join(outcome.words)


def test_answers_correct_deaths_kills_and_survival(run, folder):
    answers = {
        ("m1", "death", 1): "yes",
        ("m1", "death", 2): "No",
        ("m1", "kill", 1): "no",
        ("m2", "death", 1): " no ",
        ("m2", "death", 2): "n",
    }
    outcome = import_events(run, fill(folder, answers))
    m1 = pd.read_csv(outcome.folder / "m1" / "cancer_deaths.csv")
    assert m1["reason"].tolist()[:2] == ["died", "end_of_movie"]
    kills = pd.read_csv(outcome.folder / "m1" / "cancer_attribution.csv")
    assert kills["target_track_id"].tolist() == [1]
    assert kills["effector_track_id"].isna().all()
    survival = pd.read_csv(outcome.folder / "survival.csv")
    control = survival[survival["group"] == "control"]
    assert control["survival"].min() == 1, "both of its deaths were rejected"
    assert "4 deaths before, 1 after" in " ".join(outcome.words)


def test_rows_that_are_left_out_or_empty_are_open(folder):
    path = fill(folder, "")
    pd.read_csv(path, dtype=str).iloc[:1].to_csv(path, index=False)
    assert (read_sheet(path)["answer"] == "").all()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"answer": "perhaps"}, "'perhaps' is no answer"),
        ({"corrected_frame": "soon"}, "no frame number"),
        ({"corrected_frame": "-1"}, "no frame number"),
        ({"event_id": "E9999"}, "not in the key|twice"),
    ],
)
def test_what_cannot_be_understood_is_refused(folder, columns, message):
    path = fill(folder, "yes")
    sheet = pd.read_csv(path, dtype=str, keep_default_na=False)
    sheet.assign(**columns).to_csv(path, index=False)
    with pytest.raises(InputError, match=message):
        read_sheet(path)


def test_a_frame_beyond_the_movie_is_refused(run, folder):
    with pytest.raises(InputError, match="beyond the movie"):
        import_events(run, fill(folder, "yes", corrected_frame="20"))


def test_the_sheet_knows_its_run(folder, tmp_path):
    assert origin_of(folder / SHEET) == "20260101T000000Z"
    assert json.loads((folder / ORIGIN).read_text())["movies"] == ["m1", "m2"]
    with pytest.raises(InputError, match="exported to"):
        origin_of(tmp_path / "elsewhere.csv")


@pytest.mark.slow
def test_from_a_run_to_corrected_results(example_project, tmp_path):
    out = tmp_path / "events"
    done = example_project.kedro("cyto", "events", "export", "-o", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    done = example_project.kedro("cyto", "events", "import", str(fill(out, "yes")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "deaths before" in done.stdout
    assert (out / "corrected" / "agreement.csv").is_file()
