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
from cyto_kedro.core import schemas
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.schemas import (
    ATTRIBUTION,
    CONTACTS,
    DEATHS,
    DRIFT,
    EPISODES,
    REVIEW,
    VIABILITY,
)
from cyto_kedro.pipeline_registry import CATEGORIES
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.killing.populations import compare_movies
from stand_ins import DEATH, RunInMemory, two_roles
from tables import filled, tracks_table

FRAMES, SIZE = 20, 40
KNOWN = Calibration.regular((FRAMES, SIZE, SIZE), frame_interval_min=2.0, movie="m1")
LAYOUT = two_roles(**DEATH)


CELL = {"touches_border": False, "in_valid_region": True, "area_um2": 64.0}
CELL |= {f"mean_{name}": 1.0 for name in LAYOUT.channels}
CELL |= {f"background_{name}": 0.0 for name in LAYOUT.channels}
#: Tables that a few nodes read and no answer changes.
BLANK = {
    "frame_counts": schemas.FRAME_COUNTS,
    "frame_stats": schemas.FRAME_STATS,
    "kinematics": schemas.KINEMATICS,
    "killers@movie": schemas.KILLERS,
    "cells@movie": schemas.CELLS,
    "result_table@movie": schemas.RESULT,
    "msd": schemas.MSD,
    "residual_motion": schemas.RESIDUAL_MOTION,
    "suspicious_events": schemas.SUSPICIOUS_EVENTS,
    "track_summary": schemas.TRACK_SUMMARY,
    "viability": schemas.VIABILITY,
}


def parameters():
    """The defaults, with few draws."""
    few = {"chance": {"n_shifts": 10, "n_moves": 5, "n_refits": 3}}
    fewer = {"n_bootstrap": 10, "n_permutations": 10}
    chosen = {"killing": {"attribution": few, "survival": fewer}}
    names = (*CATEGORIES, "tracking_audit")
    return {name: chosen.get(name, {}) for name in names}


class JudgedRun(RunInMemory):
    """Two movies of four targets each, of which two died."""

    def __init__(self, folder):
        super().__init__(folder, {}, LAYOUT, ("m1", "m2"), **parameters())
        self.run = SimpleNamespace(id="20260101T000000Z")
        targets, frames = np.arange(1, 5), np.arange(FRAMES)
        died = targets <= 2
        tcell = np.zeros((FRAMES, SIZE, SIZE), np.uint32)
        tcell[:, 15:25, 10:20] = 1
        cancer = np.zeros_like(tcell)
        for number, corner in enumerate([(15, 20), (0, 0), (0, 30), (30, 0)], 1):
            y, x = corner
            cancer[:, y : y + 8, x : x + 8] = number
        conditions = {
            "dataset": "d",
            "movie": ["m1", "m2"],
            "condition": ["killing", "control"],
        }
        self.data = {
            "calibration": KNOWN,
            "drift": filled(
                DRIFT,
                {
                    "frame": frames,
                    "dy_px": 0.0,
                    "dx_px": 0.0,
                    "valid_y1": SIZE,
                    "valid_x1": SIZE,
                    "quality": 1.0,
                },
            ),
            "conditions": pd.DataFrame(conditions),
            "tcell.tracks": tracks_table(frames, 7, 20.0, 20.0, 2.0, **CELL),
            "cancer.tracks": tracks_table(
                np.tile(frames, 4),
                np.repeat(targets, FRAMES),
                20.0,
                20.0,
                2.0,
                **CELL,
            ),
            "cancer.viability": filled(
                VIABILITY,
                {
                    "track_id": np.repeat(targets, FRAMES),
                    "frame": np.tile(frames, 4),
                    "label": np.repeat(targets, FRAMES),
                    "alive": pd.array(
                        np.tile(frames, 4) < np.repeat([10, 12, 99, 99], FRAMES),
                        "boolean",
                    ),
                    "alive_probability": 0.5,
                },
            ),
            "tcell_cancer.contacts": filled(
                CONTACTS,
                {
                    "frame": frames,
                    "effector": "tcell",
                    "target": "cancer",
                    "effector_label": 1,
                    "target_label": 1,
                    "effector_track_id": pd.array([7] * FRAMES, "Int64"),
                    "target_track_id": pd.array([1] * FRAMES, "Int64"),
                    "distance_um": 1.0,
                    "in_contact": True,
                },
            ),
            "tcell_cancer.contact_episodes": filled(
                EPISODES,
                {
                    "effector": "tcell",
                    "target": "cancer",
                    "effector_track_id": [7],
                    "target_track_id": [1],
                    "last_frame": FRAMES - 1,
                    "dwell_min": 40.0,
                },
            ),
            "tcell.deaths@movie": filled(
                DEATHS,
                {
                    "role": "tcell",
                    "track_id": [7],
                    "exit_frame": FRAMES - 1,
                    "censored": True,
                    "reason": "end_of_movie",
                },
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
        both = (("tcell", "green", tcell), ("cancer", "red", cancer))
        for role, channel, labels in both:
            self.data[f"{role}.labels"] = labels
            self.data[f"{channel}.image"] = labels.astype(np.float32)
        own = self.data["cancer.deaths@movie"]
        killing = KillingParams.model_validate(parameters()["killing"])
        _, self.data["comparison"] = compare_movies(
            self.data["conditions"],
            killing,
            {"m1": own, "m2": own},
            targets=("cancer",),
        )

    def load(self, name, movie=None):
        if self.has(name):
            return super().load(name, movie)
        return BLANK[name.split(".")[-1]].empty()


@pytest.fixture
def run(tmp_path):
    return JudgedRun(tmp_path / "run")


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
    assert sheet["kind"].value_counts().to_dict() == {
        "death": 8,
        "kill": 2,
        "contact": 2,
    }
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


def test_only_what_was_asked_for_is_in_the_sheet(run):
    folder = export_events(run, "m1", None, kinds=("contact", "kill"))
    assert sorted(pd.read_csv(folder / SHEET)["kind"]) == ["contact", "kill"]


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


def corrected(run, folder, answers, **columns):
    """The tables that an import of the answers leaves, by file."""
    outcome = import_events(run, fill(folder, answers, **columns))
    tables = {
        str(path.relative_to(outcome.folder).with_suffix("")): pd.read_csv(path)
        for path in outcome.folder.rglob("*.csv")
    }
    return tables, " ".join(outcome.words)


def test_answers_correct_deaths_kills_and_survival(run, folder):
    answers = {
        ("m1", "death", 1): "yes",
        ("m1", "death", 2): "No",
        ("m1", "kill", 1): "no",
        ("m2", "death", 1): " no ",
        ("m2", "death", 2): "n",
    }
    tables, words = corrected(run, folder, answers)
    reasons = tables["m1/cancer_deaths"]["reason"].tolist()[:2]
    assert reasons == ["died", "end_of_movie"]
    kills = tables["m1/cancer_attribution"]
    assert kills["target_track_id"].tolist() == [1]
    assert kills["effector_track_id"].isna().all()
    assert tables["m1/cancer_killers"]["kills_shared"].tolist() == [0]
    survival = tables["survival"]
    control = survival[survival["group"] == "control"]
    assert control["survival"].min() == 1, "both of its deaths were rejected"
    assert "4 deaths before, 1 after" in words


def test_a_found_death_gets_its_culprit_and_counts_everywhere(run, folder):
    """7 touches 1 all the time; a death of 3 has nobody near."""
    nobody = run.data["cancer.deaths@movie"].assign(
        reason="end_of_movie", censored=True, death_frame=pd.NA, death_time_min=np.nan
    )
    run.data["cancer.deaths@movie"] = DEATHS.conform(nobody)
    key = pd.read_csv(folder / KEY)
    key["called"] &= key["kind"] != "death"
    key.to_csv(folder / KEY, index=False)
    tables, _ = corrected(run, folder, {("m1", "death", 1): "yes"})
    kills = tables["m1/cancer_attribution"]
    assert kills["effector_track_id"].tolist() == [7]
    assert tables["m1/cancer_killers"]["kills_shared"].tolist() == [1]
    capacity = tables["m1/cancer_killing_capacity"]
    assert capacity["n_deaths"].sum() == 1
    alive = tables["m1/cancer_viability"].query("track_id == 1")["alive"]
    assert alive.sum() == 10
    rates = tables["rates"].set_index(["group", "rule"])["kills"]
    assert rates["m1", "shared"] == 1
    assert "m2/cancer_deaths" not in tables, "nobody judged it: its results stand"


def test_a_rejected_contact_takes_the_kill_with_it(run, folder):
    tables, _ = corrected(run, folder, {("m1", "contact", 7): "no"})
    assert not tables["m1/tcell_cancer_contacts"]["in_contact"].any()
    assert tables["m1/tcell_cancer_contact_episodes"].empty
    assert tables["m1/cancer_attribution"]["effector_track_id"].isna().all()
    assert tables["m1/cancer_killers"]["contact_min"].tolist() == [0]
    assert "m1/cancer_deaths" not in tables, "contacts do not change who died"


def test_a_rejected_division_changes_all_that_uses_lineage(run):
    """Cell 3 had a daughter 5; now it lives to the end, and 6 has no parent."""
    run.data["cancer.tracks"] = with_division(run.data["cancer.tracks"])
    folder = export_events(run, None, None, kinds=("division",))
    sheet = pd.read_csv(folder / SHEET)
    assert set(sheet["kind"]) == {"division"}
    tables, words = corrected(run, folder, {("m1", "division", 3): "no"})
    assert "cancer: 1 divisions before, 0 after" in words
    tracks = tables["m1/cancer_tracks"]
    assert tracks["parent_track_id"].isna().all()
    assert set(tracks["track_id"]) == {1, 2, 3, 6}
    deaths = tables["m1/cancer_deaths"].set_index("track_id")
    assert deaths.loc[3, "exit_frame"] == FRAMES - 1
    assert deaths.loc[3, "reason"] != "divided"
    assert set(tables["m1/cancer_track_summary"]["track_id"]) == {1, 2, 3, 6}
    contacts = tables["m1/tcell_cancer_contacts"]
    assert set(contacts["target_track_id"]) == {1}
    assert "survival" in tables


def with_division(tracks):
    """Cell 3 divides after frame 8 into 5 and 6; cell 4's later part is 6."""
    table = tracks[(tracks["track_id"] != 4) | (tracks["frame"] > 8)].copy()
    table.loc[table["track_id"] == 4, ["track_id", "x_um"]] = [6, 25.0]
    table.loc[(table["track_id"] == 3) & (table["frame"] > 8), "track_id"] = 5
    table.loc[table["track_id"] >= 5, "parent_track_id"] = 3
    return table.reset_index(drop=True)


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
