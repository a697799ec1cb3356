"""The grid of settings: each point is what a run at these settings would give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.schemas import SENSITIVITY
from cyto_kedro.methods.killing.hits import DelayPrior
from cyto_kedro.methods.killing.sensitivity import (
    Factors,
    Setting,
    sensitivity_table,
    stability,
)
from cyto_kedro.pipelines.contacts.params import ContactsParams
from cyto_kedro.pipelines.killing.checks import vary_settings
from cyto_kedro.pipelines.killing.nodes import attribute_kills, chance_level, viability
from cyto_kedro.pipelines.killing.params import KillingParams
from methods.killing.cases import CALIBRATION, DOSE, cell, died, touching, track_rows

EFFECTORS = track_rows([r for i in range(1, 5) for r in cell(i, np.zeros(60))])
CONTACTS = ContactsParams.model_validate(
    {"rule": {"name": "edge", "contact_distance_um": 1.0}, "reach_um": 2.5}
)


def _movie(seed: int = 0):
    """Targets whose signal rises slowly to some height, and pairs at 0 to 2.5 um."""
    random = np.random.default_rng(seed)
    rows = []
    for j in range(1, 16):
        signal = random.normal(10, 1, 60)
        if j < 12:
            ramp = np.clip((np.arange(60) - random.integers(10, 45)) / 6, 0, 1)
            signal += random.uniform(40, 200) * ramp
        rows += cell(j, signal)
    grid = random.random((60, 4, 15)) < 0.03
    touched = [
        (int(f), int(a) + 1, int(b) + 1, float(random.uniform(0, 2.5)))
        for f, a, b in zip(*np.nonzero(grid), strict=True)
    ]
    contacts = touching(touched)
    contacts["in_contact"] = contacts["distance_um"] <= 1.0
    return track_rows(rows), contacts


def _watch(tracks, threshold):
    options = {"death": {"threshold": {"name": "given", "value": threshold}}}
    given = KillingParams.model_validate(options)
    return given, viability(
        tracks,
        CALIBRATION,
        given,
        role="cancer",
        effector=False,
        death_channel="death",
        live_channel="cancer",
    )


def test_every_point_is_what_a_run_at_these_settings_gives():
    tracks, contacts = _movie()
    options, (rows, deaths, _) = _watch(tracks, 60.0)
    table = vary_settings(
        deaths,
        rows,
        CALIBRATION,
        options,
        CONTACTS,
        contacts,
        effectors=("tcell",),
        target="cancer",
    )
    table = SENSITIVITY.validate(table)
    # 3 um is beyond the reach of the contacts table.
    assert sorted(table["contact_distance_um"].unique()) == pytest.approx([1, 2])
    assert len(table) == 3 * 2 * 3 and table["is_chosen"].sum() == 1
    counts = table.groupby("threshold")["n_deaths"].first()
    assert counts.is_monotonic_decreasing and counts.nunique() == 3
    for point in table.itertuples():
        _, (_, other, _) = _watch(tracks, point.threshold)
        near = contacts.assign(
            in_contact=contacts["distance_um"] <= point.contact_distance_um
        )
        asked = KillingParams.model_validate(
            {
                "attribution": {
                    "window_min": point.window_min,
                    "chance": {"n_shifts": 200},
                }
            }
        )
        roles = {"effectors": ("tcell",), "target": "cancer"}
        credit, _, _ = attribute_kills(
            other, CALIBRATION, asked, tracks, near, EFFECTORS, **roles
        )
        chance = chance_level(
            other, CALIBRATION, asked, tracks, near, EFFECTORS, **roles
        ).iloc[0]
        first = credit.drop_duplicates("target_track_id")
        assert point.n_deaths == len(first)
        assert point.n_attributed == first["effector"].notna().sum()
        assert point.p_value == chance["p_value"]
        named = credit.dropna(subset="effector")
        best = named.groupby("target_track_id")["credit_hazard"].idxmax()
        kills = named.loc[best, "effector_track_id"].value_counts()
        assert point.n_serial_killers == (kills >= 2).sum()
    chosen = table[table["is_chosen"]].iloc[0]
    assert chosen["same_killer_share"] == 1
    assert table["same_killer_share"].min() < 1
    assert f"of {len(table)} settings" in stability(table)


def _table(deaths, rows, contacts) -> pd.DataFrame:
    setting = Setting(60.0, 1.0, 3.0, 3, True, DOSE, DelayPrior(), 2, 50, 1)
    factors = Factors((1.0, 2.0), (1.0, 2.0), (1.0,))
    table = sensitivity_table(
        deaths, rows, {"tcell": contacts}, CALIBRATION, "cancer", setting, factors
    )
    return SENSITIVITY.validate(table)


def test_a_lasting_exclusive_contact_is_a_conclusion_that_nothing_changes():
    contacts = touching([(f, j, j, 0.5) for j in range(1, 9) for f in range(20, 31)])
    rows = pd.DataFrame({"track_id": [], "frame": [], "death_signal": []})
    table = _table(died(dict.fromkeys(range(1, 9), 30)), rows, contacts)
    assert (table["same_killer_share"] == 1).all()
    assert (table["unattributed_share"] == 0).all()
    sentence = stability(table)
    assert "4 of 4 settings" in sentence and "100% of the deaths keep" in sentence


def test_nobody_dead_or_nobody_there_is_said():
    rows = pd.DataFrame({"track_id": [], "frame": [], "death_signal": []})
    none = _table(died({}), rows, touching([]))
    assert none.empty and "no target was tracked" in stability(none)
    alive = died({1: 30}).assign(
        death_frame=pd.NA, death_time_min=np.nan, censored=True, reason="end_of_movie"
    )
    alive["death_frame"] = alive["death_frame"].astype("Int64")
    assert "No target died" in stability(_table(alive, rows, touching([])))
