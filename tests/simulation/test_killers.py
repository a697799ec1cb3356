"""Who can kill, how many hits it takes, and what the camera hides: each as stated."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from cyto_kedro.simulation import SimulationParams, simulate, truth_hits
from cyto_kedro.simulation.dimming import Dimming
from cyto_kedro.simulation.killing import next_lytic_hit
from cyto_kedro.simulation.killing_params import LyticHitsParams

CLASSES = [
    {"name": "bystander", "share": 0.5, "potency": 0},
    {"name": "once", "share": 0.25, "potency": 3, "max_kills": 1},
    {"name": "serial", "share": 0.25, "potency": 3},
]
#: Many contacts, no other deaths, no divisions: every death is a kill.
CROWD = {
    "n_frames": 90,
    "height_px": 200,
    "width_px": 200,
    "n_effectors": 28,
    "n_targets": 14,
    "target": {
        "division_per_hour": 0,
        "bystander_death_per_hour": 0,
        "n_dead_at_start": 0,
    },
}


def crowd(killing, seed=1, **more):
    values = CROWD | {"killing": killing, "seed": seed} | more
    return simulate(SimulationParams.model_validate(values))


@pytest.fixture(scope="module")
def mixed():
    killing = {"kill_probability": 0.3, "classes": CLASSES}
    return [crowd(killing, seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def additive():
    killing = {"name": "lytic_hits", "hits_per_hour": 6, "lethal_damage": 2.2}
    return crowd(killing)


# -- classes --------------------------------------------------------------------------


def test_classes_have_their_shares(mixed):
    for movie in mixed:
        kinds = movie.history.crew.kind
        shares = np.bincount(kinds, minlength=3) / len(kinds)
        assert np.abs(shares - [0.5, 0.25, 0.25]).max() <= 1 / len(kinds)
        # Dealt out at random, not in the order of the cells.
        assert (np.diff(kinds) < 0).any()


def test_only_those_who_can_kill_do_and_the_exhausted_stop(mixed):
    kills = {name: [] for name in ("bystander", "once", "serial")}
    for movie in mixed:
        table = truth_hits.EFFECTORS.validate(movie.effectors)
        assert table["n_kills"].sum() == len(movie.deaths) > 0
        for kind, own in table.groupby("effector_class"):
            kills[kind] += own["n_kills"].tolist()
        killers = table.loc[table["n_kills"] > 0, "effector_class"]
        assert "bystander" not in set(killers)
    assert sum(kills["bystander"]) == 0
    assert max(kills["once"]) == 1
    assert max(kills["serial"]) >= 2


def test_non_killers_touch_and_arrest_like_killers(mixed):
    """They differ in nothing that can be seen: the harder case for attribution."""
    touches = {"bystander": [], "serial": []}
    for movie in mixed:
        kinds = movie.effectors.set_index("effector_id")["effector_class"]
        pairs = movie.contacts.groupby("effector_id").size()
        for kind, found in touches.items():
            own = kinds.index[kinds == kind]
            found += pairs.reindex(own, fill_value=0).tolist()
    ratio = np.mean(touches["bystander"]) / np.mean(touches["serial"])
    assert 0.6 < ratio < 1.7


def test_classes_do_not_change_where_cells_are(small_params):
    classes = [{"name": "half", "share": 1, "potency": 0.5}]
    killing = small_params.killing.model_dump() | {"classes": classes}
    other = SimulationParams.model_validate(
        small_params.model_dump() | {"killing": killing}
    )
    first, second = simulate(small_params), simulate(other)
    assert (first.mask("tcell", 0) == second.mask("tcell", 0)).all()
    assert (first.frame("tcell", 0) == second.frame("tcell", 0)).all()


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([{"name": "a", "share": 0.4}], "sum to 0.4"),
        ([{"name": "a", "share": 0.5}, {"name": "a", "share": 0.5}], "occurs twice"),
    ],
)
def test_classes_that_are_no_whole_are_refused(classes, words):
    with pytest.raises(ValidationError, match=words):
        SimulationParams.model_validate({"killing": {"classes": classes}})


# -- hits -----------------------------------------------------------------------------


def test_one_lethal_hit_is_the_default(movie):
    assert len(movie.hits) and movie.hits["lethal"].all()


def test_sublethal_hits_add_up_and_fade(additive):
    """Damage replayed from the table of hits, by its definition."""
    hits = truth_hits.HITS.validate(additive.hits)
    killing = additive.params.killing
    assert 0.2 < hits["lethal"].mean() < 0.8
    for _, own in hits.groupby("target_id"):
        times = own["hit_min"].to_numpy()
        # Several may fall in the same step: the order is that of the table.
        for k, (lethal, now) in enumerate(zip(own["lethal"], times, strict=True)):
            ages = now - times[: k + 1]
            damage = (0.5 ** (ages / killing.recovery_half_life_min)).sum()
            assert lethal == (damage >= killing.lethal_damage - 1e-9)


def test_a_target_dies_of_the_first_lethal_hit_or_a_faster_one(additive):
    hits, deaths = additive.hits, additive.deaths
    assert len(deaths) >= 5
    for death in deaths.itertuples():
        own = hits[hits["target_id"] == death.target_id]
        assert (own["hit_min"] < death.death_min).all(), "the dead are not hit"
        assert len(own) >= 3, "2.2 takes three hits"
        fatal = own[(own["hit_min"] == death.hit_min) & own["lethal"]]
        assert fatal["effector_id"].tolist() == [death.effector_id]
    spared = set(hits.loc[~hits["lethal"], "target_id"])
    assert spared - set(deaths["target_id"]), "some recover"


def test_t_cells_share_kills(additive):
    """The reason for credit in parts: hits of several T cells kill together."""
    killed = additive.hits[
        additive.hits["target_id"].isin(additive.deaths["target_id"])
    ]
    assert killed.groupby("target_id")["effector_id"].nunique().max() >= 2


def test_hits_come_at_their_rate_in_contact():
    params = LyticHitsParams(hits_per_hour=6)
    random = np.random.default_rng(0)
    waits = [next_lytic_hit(100, 0.5, params, random) - 100 for _ in range(4000)]
    assert np.mean(waits) == pytest.approx(20, rel=0.05)
    assert np.std(waits) == pytest.approx(20, rel=0.06)
    assert next_lytic_hit(0, 0.0, params, random) == np.inf


def test_fast_recovery_saves_the_targets():
    killing = {"name": "lytic_hits", "hits_per_hour": 6, "lethal_damage": 2.2}
    movie = crowd(killing | {"recovery_half_life_min": 0.5})
    assert len(movie.hits) > 20
    assert len(movie.deaths) <= 1


def test_hits_are_given_in_contact(additive):
    interval = additive.params.frame_interval_min
    pairs = additive.contacts.groupby(["effector_id", "target_id"])["time_min"]
    times = {pair: group.to_numpy() for pair, group in pairs}
    for hit in additive.hits.itertuples():
        # A touch may be over between two frames, and the movie at the last one.
        near = times.get((hit.effector_id, hit.target_id), np.array([np.inf]))
        if hit.hit_frame < additive.params.n_frames:
            assert np.abs(near - hit.hit_min).min() <= 2 * interval


# -- what the camera hides ------------------------------------------------------------


@pytest.mark.parametrize("frames", [1.0, 6.0])
def test_dimming_lasts_as_long_as_stated(frames):
    optics = {"dim_probability": 0.01, "dim_frames": frames}
    params = SimulationParams.model_validate({"optics": optics})
    dim = Dimming(params, role=0)
    seen = np.array([dim.of(frame, 500) for frame in range(300)])
    begun = seen[1:] & ~seen[:-1]
    length = seen.sum() / begun.sum()
    # Spells that overlap or follow each other count as one.
    assert length == pytest.approx(frames, rel=0.1)
    # A queue without end: P(dark) = 1 - exp(-rate x duration), nearly.
    assert seen[100:].mean() == pytest.approx(1 - np.exp(-0.01 * frames), rel=0.1)


def test_long_spells_break_tracks(small_params):
    """A cell that is dim for longer than a gap may be closed is lost to a tracker."""

    def longest_gap(frames):
        optics = {"dim_probability": 0.03, "dim_frames": frames}
        values = small_params.model_dump() | {"optics": optics}
        rows = simulate(SimulationParams.model_validate(values)).tracks
        dim = rows[rows["dimmed"]].sort_values(["role", "cell_id", "frame"])
        cell = dim.groupby(["role", "cell_id"])["frame"]
        return (cell.diff() != 1).cumsum().value_counts().max()

    assert longest_gap(1.0) <= 3
    assert longest_gap(8.0) >= 8


def test_a_dimmed_cell_is_hardly_seen(movie):
    rows = movie.tracks
    dim = rows[rows["dimmed"] & (rows["role"] == "tcell") & ~rows["touches_border"]]
    assert len(dim)
    for row in dim.head(3).itertuples():
        inside = movie.mask("tcell", row.frame) == row.cell_id
        plane = movie.frame("tcell", row.frame).astype(float)
        empty = movie.mask("tcell", row.frame) == 0
        assert plane[inside].mean() - np.median(plane[empty]) < 80


def leaked(leakage):
    """Light of living targets in the death channel / in their own, background off."""
    values = CROWD | {
        "seed": 4,
        "n_frames": 16,
        "n_effectors": 0,
        "optics": {
            "target_photons": 30000,
            "background_photons": 0,
            "dim_probability": 0,
            "bleaching_per_hour": 0.5,
            "leakage": leakage,
        },
    }
    movie = simulate(SimulationParams.model_validate(values))
    ratios = []
    for t in (0, 15):
        inside = movie.mask("cancer", t) > 0
        own, other = (movie.frame(c, t)[inside] - 100.0 for c in ("cancer", "death"))
        ratios.append(other.sum() / own.sum())
    return ratios


@pytest.mark.parametrize("leakage", [0.0, 0.03, 0.2])
def test_the_target_dye_leaks_into_the_death_channel_as_stated(leakage):
    assert leaked(leakage) == pytest.approx([leakage, leakage], abs=0.001)


def test_a_dense_movie_has_more_suspects_per_target():
    """More T cells on the same targets: more touch each, and nobody vanishes."""
    killing = {"kill_probability": 0}
    touchers, counts = [], []
    for n_effectors in (7, 56):
        movie = crowd(killing, n_effectors=n_effectors, n_frames=40)
        pairs = movie.contacts[["effector_id", "target_id"]].drop_duplicates()
        targets = movie.tracks.loc[movie.tracks["role"] == "cancer", "cell_id"]
        touchers.append(len(pairs) / targets.nunique())
        rows = movie.tracks[movie.tracks["role"] == "tcell"]
        counts.append(rows.groupby("frame").size())
        inner = rows[~rows["touches_border"]]
        whole = np.pi * (movie.params.effector.radius_um / 0.65) ** 2
        assert inner["area_px"].median() > 0.8 * whole, "T cells do not swallow others"
    assert touchers[1] > 5 * touchers[0]
    assert counts[1].between(35, 77).all()
