"""Deaths planted in noisy movies, through the node, at the default parameters."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.schemas import (
    ATTRIBUTION,
    ATTRIBUTION_CHANCE,
    CONTROL_THRESHOLD,
    DEATH_EVIDENCE,
    DEATHS,
    HIT_MODEL,
    KILLERS,
    SURVIVAL,
    TRACKS,
    VIABILITY,
)
from cyto_kedro.pipelines.killing.checks import check_thresholds
from cyto_kedro.pipelines.killing.nodes import attribute_kills, chance_level, viability
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.killing.populations import compare_movies
from methods.killing.cases import CALIBRATION, cell, died, touching, track_rows

DEFAULT = KillingParams()
N_FRAMES = CALIBRATION.n_frames


def _death(**changes) -> KillingParams:
    return KillingParams.model_validate({"death": changes})


def _viability(tracks, options=DEFAULT, calibration=CALIBRATION):
    before = tracks.copy(deep=True)
    rows, deaths, evidence = viability(
        tracks,
        calibration,
        options,
        role="cancer",
        effector=False,
        death_channel="death",
        live_channel="cancer",
    )
    pd.testing.assert_frame_equal(tracks, before)
    DEATH_EVIDENCE.validate(evidence)
    return VIABILITY.validate(rows), DEATHS.validate(deaths)


def _movie(
    share: float,
    seed: int = 0,
    n_cells: int = 60,
    noise: float = 6.0,
    rise: float = 120.0,
    bleach: float = 0.4,
) -> tuple[pd.DataFrame, dict[int, int]]:
    """Cells with their own leak, noise and fading; a share dies in 3 frames' rise."""
    random = np.random.default_rng(seed)
    fade = np.exp(-bleach * np.arange(N_FRAMES) / N_FRAMES)
    planted, rows = {}, []
    for track in range(1, n_cells + 1):
        level = random.gamma(4, 3) * fade
        signal = level + random.normal(0, noise, N_FRAMES)
        if random.random() < share:
            frame = int(random.integers(12, N_FRAMES - 5))
            ramp = np.clip((np.arange(N_FRAMES) - frame + 1) / 2, 0, 1)
            signal += rise * random.uniform(0.8, 2) * ramp
            planted[track] = frame
        missed = random.random(N_FRAMES) < 0.03
        missed[[0, -1]] = False
        rows += cell(track, np.where(missed, np.nan, signal), background=300 * fade)
    return track_rows(rows), planted


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_planted_deaths_are_found_and_no_others(share, seed):
    tracks, planted = _movie(share, seed)
    rows, deaths = _viability(tracks)
    found = deaths.set_index("track_id")["death_frame"].dropna()
    assert set(found.index) == set(planted)
    late = np.array([found[track] - frame for track, frame in planted.items()])
    assert (np.abs(late) <= 2).all()
    assert not len(late) or np.abs(late).mean() <= 0.75
    dead = rows["alive_probability"] < 0.5
    assert (dead == ~rows["alive"].astype(bool)).mean() > 0.998


@pytest.mark.parametrize("seed", range(8))
def test_a_movie_without_deaths_has_none_even_if_it_is_large_and_noisy(seed):
    tracks, _ = _movie(0.0, seed, n_cells=150, noise=15.0, bleach=0.0)
    _, deaths = _viability(tracks)
    assert not (deaths["reason"] == "died").any()


def test_otsu_finds_deaths_where_there_are_none_which_is_why_it_is_no_default():
    tracks, _ = _movie(0.0)
    _, deaths = _viability(tracks, _death(threshold={"name": "otsu"}))
    assert (deaths["reason"] != "end_of_movie").any()
    tracks, planted = _movie(0.3)
    _, deaths = _viability(tracks, _death(threshold={"name": "otsu", "scale": "log"}))
    died_ = deaths.loc[deaths["reason"] == "died", "track_id"]
    assert set(planted) <= set(died_)


def test_flashes_are_no_deaths_and_cells_dead_from_the_start_no_events():
    tracks, _ = _movie(0.0, seed=4)
    flash = tracks["frame"].isin([20, 21]) & (tracks["track_id"] <= 10)
    tracks.loc[flash, "mean_death"] += 900.0
    tracks.loc[tracks["track_id"].between(11, 25), "mean_death"] += 500.0
    _, deaths = _viability(tracks)
    reason = deaths.set_index("track_id")["reason"]
    assert (reason.loc[:10] == "end_of_movie").all()
    assert (reason.loc[11:25] == "dead_at_entry").all()
    assert (reason.loc[26:] == "end_of_movie").all()


def test_the_predecessor_s_padding_would_have_killed_at_track_ends():
    """A CDI falls at track ends under zero padding; here a constant is a constant."""
    tracks = track_rows(cell(1, np.full(20, 40.0)) + cell(2, np.full(20, 40.0), 10))
    options = _death(
        smoothing={"name": "mean", "window_frames": 5},
        threshold={"name": "given", "value": 41.0},
    )
    rows, deaths = _viability(tracks, options)
    np.testing.assert_allclose(rows["death_signal"], 40.0)
    assert deaths["censored"].all()


def test_losing_the_track_is_never_death():
    tracks, planted = _movie(1.0, seed=5)
    onset = tracks["track_id"].map(planted)
    cut = tracks[tracks["frame"] < onset]
    _, deaths = _viability(cut)
    assert set(deaths["reason"]) == {"lost"}


def test_the_cell_death_index_needs_the_live_channel_only():
    frames = np.arange(40)
    rows = cell(1, np.where(frames < 25, 4.0, 90.0)) + cell(2, np.full(40, 4.0))
    tracks = track_rows(rows)
    live = np.where((tracks["track_id"] == 1) & (tracks["frame"] >= 25), 10.0, 96.0)
    tracks = tracks.assign(mean_cancer=50.0 + live, background_cancer=50.0)
    options = _death(signal="cdi", threshold={"name": "given", "value": 0.5})
    viable, deaths = _viability(tracks, options)
    assert deaths["death_frame"].tolist() == [25, pd.NA]
    assert viable["death_signal"].between(0, 1).all()
    assert viable["death_signal"].iloc[0] == pytest.approx(4 / 100)


def _with_live(fading: dict[int, bool]) -> pd.DataFrame:
    """Cells whose marker rises in frame 25; some lose their live signal then."""
    frames = np.arange(60)
    rows = [r for j in fading for r in cell(j, np.where(frames < 25, 4.0, 90.0))]
    rows += [r for j in (8, 9) for r in cell(j, np.full(60, 4.0))]
    tracks = track_rows(rows)
    loses = np.array([fading.get(j, False) for j in tracks["track_id"]])
    live = np.where(loses & (tracks["frame"] >= 25), 10.0, 96.0)
    return tracks.assign(mean_cancer=50.0 + live, background_cancer=50.0)


def test_the_second_vote_is_a_veto_only_where_it_is_asked_to_be():
    tracks = _with_live({1: True, 2: False})
    threshold = {"name": "given", "value": 40.0}
    _, deaths = _viability(tracks, _death(threshold=threshold))
    assert deaths["death_frame"].tolist()[:2] == [25, 25]
    strict = _death(threshold=threshold, live_vote={"required": True})
    rows, deaths = _viability(tracks, strict)
    assert deaths["death_frame"].tolist()[:2] == [25, pd.NA]
    assert deaths["reason"].tolist()[1] == "end_of_movie"
    assert rows.loc[rows["track_id"] == 2, "alive"].all()


def test_the_predecessor_s_probability_is_one_minus_the_cell_death_index():
    tracks = _with_live({1: True})
    threshold = {"name": "given", "value": 40.0}
    options = _death(threshold=threshold, alive_probability="one_minus_cdi")
    rows, deaths = _viability(tracks, options)
    own = rows[rows["track_id"] == 1]["alive_probability"].to_numpy()
    np.testing.assert_allclose(own[:25], 96 / 100)
    np.testing.assert_allclose(own[25:], 10 / 100)
    assert deaths["death_frame"].tolist() == [25, pd.NA, pd.NA]


def test_effectors_have_parameters_of_their_own():
    tracks = _with_live({1: True})
    tracks = tracks.assign(
        median_death=tracks["mean_death"],
        median_cancer=tracks["mean_cancer"],
    )
    options = KillingParams.model_validate(
        {
            "death": {"threshold": {"name": "given", "value": 1e6}},
            "effector_death": {"threshold": {"name": "given", "value": 40.0}},
        }
    )
    found = {}
    for effector in (False, True):
        _, deaths, evidence = viability(
            tracks,
            CALIBRATION,
            options,
            role="x",
            effector=effector,
            death_channel="death",
            live_channel="cancer",
        )
        found[effector] = deaths["death_frame"].notna().sum(), len(evidence)
    assert found == {False: (0, 0), True: (1, 1)}


def test_the_controls_of_a_run_are_held_against_the_thresholds_used():
    sheet = pd.DataFrame({"movie": ["m1", "m2"], "control": [False, True]})
    deaths = {"m1": died({1: 10, 2: 20}), "m2": died({1: 30})}
    table = check_thresholds(sheet, DEFAULT, deaths, targets=("cancer",))
    table = CONTROL_THRESHOLD.validate(table)
    assert table["control"].tolist() == [False, True]
    assert table["n_control_cells"].tolist() == [1, 1]
    bare = check_thresholds(sheet[["movie"]], DEFAULT, deaths, targets=("cancer",))
    assert bare["control_threshold"].isna().all() and not bare["control"].any()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_row_order_names_units_and_start_do_not_matter(seed):
    random = np.random.default_rng(seed)
    tracks, _ = _movie(0.4, seed=6, n_cells=20)
    plain = _viability(tracks)[1].set_index("track_id")
    names = dict(zip(range(1, 21), random.permutation(200)[:20] + 1, strict=True))
    shift, gain = int(random.integers(0, 30)), float(random.uniform(0.1, 50))
    other = tracks.sample(frac=1, random_state=seed % 2**31)
    other = other.assign(
        track_id=other["track_id"].map(names),
        frame=other["frame"] + shift,
        time_min=other["time_min"] + 5.0 * shift,
        mean_death=other["mean_death"] * gain,
        background_death=other["background_death"] * gain,
    )
    longer = Calibration.regular((N_FRAMES + shift, 400, 400), 0.5, 5.0)
    moved = _viability(other, calibration=longer)[1].set_index("track_id")
    moved = moved.loc[[names[i] for i in plain.index]]
    assert moved["reason"].tolist() == plain["reason"].tolist()
    expected = (plain["death_frame"] + shift).tolist()
    assert moved["death_frame"].tolist() == expected
    np.testing.assert_allclose(moved["threshold"], plain["threshold"] * gain)


@pytest.mark.parametrize("name", ["baseline", "otsu", "given"])
def test_no_cells_and_a_single_frame_are_no_error(name):
    options = {"name": name} | ({"value": 5.0} if name == "given" else {})
    rows, deaths = _viability(TRACKS.empty(), _death(threshold=options))
    assert rows.empty and deaths.empty
    one = Calibration.regular((1, 400, 400))
    rows, deaths = _viability(
        track_rows(cell(1, np.ones(1))), _death(threshold=options), one
    )
    assert deaths["reason"].tolist()[0] in {"end_of_movie", "dead_at_entry"}


def test_even_windows_and_unknown_thresholds_are_refused():
    with pytest.raises(ValidationError, match="odd"):
        _death(smoothing={"window_frames": 4})
    with pytest.raises(ValidationError, match="guess"):
        _death(threshold={"name": "guess"})


def test_kills_are_attributed_to_the_effectors_of_each_role():
    deaths = died({1: 30, 2: 40, 3: 50})
    nk = touching([(29, 1, 1, 0.5)], "nk")
    tcell = touching([(39, 1, 2, 0.5), (38, 2, 2, 1.0)], "tcell")
    tracks = track_rows(cell(1, np.zeros(60)) + cell(2, np.zeros(60)))
    victims = track_rows([row for n in (1, 2, 3) for row in cell(n, np.zeros(60))])
    victims["link_margin"] = victims["track_id"].map({1: 0.5, 2: 0.9, 3: 0.2})
    tracks["link_margin"] = np.where(tracks["track_id"] == 2, 0.4, 1.0)
    tracks.loc[(tracks["track_id"] == 2) & (tracks["frame"] == 39), "link_margin"] = 0
    credit, killers, model = attribute_kills(
        deaths,
        CALIBRATION,
        DEFAULT,
        victims,
        nk,
        tcell,
        tracks,
        tracks,
        effectors=("nk", "tcell"),
        target="cancer",
    )
    ATTRIBUTION.validate(credit), KILLERS.validate(killers)
    HIT_MODEL.validate(model)
    assert model["effector"].tolist() == ["nk", "tcell"]
    assert credit["effector"].fillna("none").tolist() == [
        "nk",
        "tcell",
        "tcell",
        "none",
    ]
    # T cell 2 is ambiguous at frame 39, after it had left; target 1 always is by half.
    assert credit["track_confidence"].fillna(-1).tolist() == [0.5, 0.9, 0.9, -1]
    kills = killers.set_index(["effector", "effector_track_id"])["kills_nearest"]
    assert kills.to_dict() == {
        ("nk", 1): 1,
        ("nk", 2): 0,
        ("tcell", 1): 1,
        ("tcell", 2): 0,
    }
    chance = chance_level(
        deaths,
        CALIBRATION,
        DEFAULT,
        track_rows([row for j in (1, 2, 3) for row in cell(j, np.zeros(60))]),
        nk,
        tcell,
        tracks,
        tracks,
        effectors=("nk", "tcell"),
        target="cancer",
    )
    chance = ATTRIBUTION_CHANCE.validate(chance).set_index(["method", "rule"])
    assert chance.loc[("time_shift", "any"), "n_attributed"] == 2
    assert chance.loc[("time_shift", "exclusive"), "n_attributed"] == 1
    assert len(chance) == 5 and (chance["n_deaths"] == 3).all()


def test_survival_of_several_roles_and_movies_ends_in_one_table():
    sheet = pd.DataFrame(
        {"dataset": "x", "movie": ["m1", "m2"], "condition": ["a", "b"]}
    )
    options = KillingParams.model_validate(
        {"survival": {"n_bootstrap": 50, "n_permutations": 50, "control_column": None}}
    )
    cancer = {"m1": died({1: 10, 2: 20}), "m2": died({1: 30})}
    stroma = {"m1": DEATHS.empty(), "m2": DEATHS.empty()}
    table, comparison = compare_movies(
        sheet, options, cancer, stroma, targets=("cancer", "stroma")
    )
    assert set(SURVIVAL.validate(table)["role"]) == {"cancer"}
    assert comparison["notes"] == [] and comparison["group_by"] == "condition"
    assert comparison["roles"]["cancer"]["test"]["groups"] == ["a", "b"]
    assert comparison["roles"]["stroma"]["groups"] == []
    json.dumps(comparison, allow_nan=False)


def test_columns_missing_from_the_sheet_are_said_and_a_missing_stratum_is_refused(
    caplog,
):
    sheet = pd.DataFrame({"dataset": ["x"], "movie": ["m1"]})
    deaths = {"m1": died({1: 10})}
    _, comparison = compare_movies(sheet, DEFAULT, deaths, targets=("cancer",))
    assert len(comparison["notes"]) == 2
    assert "no column 'condition'" in caplog.text
    options = KillingParams.model_validate({"survival": {"stratify_by": "donor"}})
    with pytest.raises(ConfigError, match="no column 'donor'"):
        compare_movies(sheet, options, deaths, targets=("cancer",))
