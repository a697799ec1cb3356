"""The chance level by moving effectors: against a loop, and where truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION_CHANCE
from cyto_kedro.methods.killing import _position_kernels
from cyto_kedro.methods.killing.positions import as_discs, contact_gap, position_chance
from cyto_kedro.methods.killing.touches import gather_touches
from methods.killing.cases import died, touching
from tables import tracks_table

FIELD = 200.0
CLOCK = Calibration.regular((20, 400, 400), 0.5, 5.0)
TARGET_R, EFFECTOR_R = 10.0, 4.0


def _tracks(place: np.ndarray, radius: float) -> pd.DataFrame:
    """TRACKS from (frames, cells, 2) positions."""
    frames, cells = place.shape[:2]
    frame, track = np.meshgrid(np.arange(frames), np.arange(cells) + 1, indexing="ij")
    y, x = place.reshape(-1, 2).T
    area = np.full(frame.size, np.pi * radius**2)
    return tracks_table(frame.ravel(), track.ravel(), y, x, area_um2=area)


def _movie(seed: int, drawn: bool):
    """20 targets that die in frame 15; effectors wander, or come to those that die."""
    random = np.random.default_rng(seed)
    targets = np.broadcast_to(random.uniform(0, FIELD, (20, 2)), (20, 20, 2))
    steps = random.normal(0, 6, (20, 12, 2))
    steps[0] = random.uniform(0, FIELD, (12, 2))
    effectors = np.cumsum(steps, axis=0) % FIELD
    if drawn:
        effectors[10:, :] = targets[10:, :12] + [0.0, TARGET_R + EFFECTOR_R]
    apart = np.linalg.norm(targets[:, None] - effectors[:, :, None], axis=-1)
    frame, a, b = np.nonzero(apart <= TARGET_R + EFFECTOR_R + 0.5)
    rows = zip(frame.tolist(), (a + 1).tolist(), (b + 1).tolist(), strict=True)
    contacts = touching([(*row, 0.5) for row in rows], calibration=CLOCK)
    deaths = died(dict.fromkeys(range(1, 21), 15), CLOCK)
    return deaths, contacts, _tracks(targets, TARGET_R), _tracks(effectors, EFFECTOR_R)


def _chance(seed: int, drawn: bool, n_moves=200, window=25.0) -> pd.DataFrame:
    deaths, contacts, targets, effectors = _movie(seed, drawn)
    table = position_chance(
        deaths,
        gather_touches({"tcell": contacts}),
        targets,
        {"tcell": effectors},
        CLOCK,
        "cancer",
        window,
        n_moves,
        1,
    )
    return ATTRIBUTION_CHANCE.validate(table).set_index("rule")


def test_effectors_that_wander_attribute_as_much_as_chance():
    p_values = [_chance(seed, drawn=False).loc["any", "p_value"] for seed in range(30)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.2
    assert 0.3 < np.mean(p_values) < 0.75


def test_effectors_that_come_to_the_dying_stand_out():
    row = _chance(0, drawn=True).loc["any"]
    assert row["observed_fraction"] >= 0.6
    assert row["p_value"] < 0.02 and row["fdr"] < 0.8


def test_the_gap_gives_as_many_contacts_as_were_seen():
    _, contacts, targets, effectors = _movie(3, drawn=True)
    gap = contact_gap(as_discs(effectors), as_discs(targets), len(contacts))
    assert gap == pytest.approx(0.5, abs=0.5)
    assert np.isnan(contact_gap(as_discs(effectors), as_discs(targets), 0))


def test_every_move_gives_what_moving_the_effectors_by_hand_gives():
    random = np.random.default_rng(7)
    size = np.array([90.0, 120.0])
    death, frame = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    place = random.uniform(0, 1, (4, 2)) * size
    reach = np.column_stack([np.full(4, 30.0), np.full(4, -np.inf)])
    cell, role = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 1, 0, 0, 1])
    where = random.uniform(0, 1, (6, 2)) * size
    first = np.array([0, 3, 6])
    moves = np.column_stack(
        [random.uniform(0, 1, (20, 2)) * size, random.integers(0, 2, (20, 2))]
    )
    found = _position_kernels.count_candidates(
        death, frame, place, reach, first, cell, where, role, 3, moves, size
    )
    for draw, (dy, dx, flip_y, flip_x) in enumerate(moves):
        at = where.copy()
        at[:, 0] = (size[0] - at[:, 0] if flip_y else at[:, 0]) + dy
        at[:, 1] = (size[1] - at[:, 1] if flip_x else at[:, 1]) + dx
        copies = [at % size + size * [i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
        for number in (0, 1):
            near = set()
            for row in np.flatnonzero(death == number):
                for e in range(first[frame[row]], first[frame[row] + 1]):
                    gap = min(np.linalg.norm(c[e] - place[row]) for c in copies)
                    if role[e] == 0 and gap <= 30.0:
                        near.add(int(cell[e]))
            assert found[draw, number] == len(near)


def test_nobody_to_blame_and_nobody_dead_are_no_error():
    _, _, targets, effectors = _movie(1, drawn=False)
    nobody = gather_touches({"tcell": touching([], calibration=CLOCK)})
    asked = (targets, {"tcell": effectors}, CLOCK, "cancer", 25.0, 10, 1)
    lonely = position_chance(died({1: 15}, CLOCK), nobody, *asked)
    lonely = ATTRIBUTION_CHANCE.validate(lonely)
    assert lonely["n_deaths"].tolist() == [1, 1]
    assert (lonely["observed_fraction"] == 0).all() and lonely["fdr"].isna().all()
    none = position_chance(died({}), nobody, *asked)
    assert ATTRIBUTION_CHANCE.validate(none)["n_deaths"].tolist() == [0, 0]
