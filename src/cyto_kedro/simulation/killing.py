"""Who arrests on whom, who is hit, and when the hit target dies.

A killing model decides at the beginning of an arrest what it will lead to. A further
model (several sublethal hits, exhaustion, serial killers) is one function and one entry
in ``KILLING_MODELS``; per-cell differences go to ``Effectors.kill_probability``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cyto_kedro.simulation.life import Appearance
from cyto_kedro.simulation.params import KillingParams, SimulationParams
from cyto_kedro.simulation.population import (
    KILLED,
    NEVER,
    NOBODY,
    Effectors,
    Targets,
)

_LEAVES_DEAD_MIN = 6.0
_SEEN_INSET_UM = 3.0


class Arrest(NamedTuple):
    """What an arrest leads to: when it ends and when a hit falls (min; inf = none)."""

    leave_min: float
    hit_min: float


def single_hit(
    now: float,
    kill_probability: float,
    params: KillingParams,
    random: np.random.Generator,
) -> Arrest:
    """Some arrests end in one lethal hit, given in their second half."""
    dwell = random.gamma(3.0, params.dwell_min / 3)
    lethal = random.random() < kill_probability
    hit = now + dwell * random.uniform(0.5, 0.95) if lethal else NEVER
    return Arrest(now + dwell, hit)


KILLING_MODELS: dict[
    str, Callable[[float, float, KillingParams, np.random.Generator], Arrest]
] = {"single_hit": single_hit}


def begin_arrests(
    cells: Effectors,
    touching: np.ndarray,
    look: Appearance,
    params: SimulationParams,
    now: float,
    random: np.random.Generator,
) -> None:
    """Free effectors that touch a living target may arrest on it."""
    model = KILLING_MODELS[params.killing.name]
    for effector, target in touching:
        busy = cells.partner[effector] != NOBODY
        avoids = cells.avoided[effector] == target and now < cells.avoid_until[effector]
        if busy or avoids or not look.alive[target]:
            continue
        if random.random() < params.effector.arrest_probability:
            arrest = model(
                now, cells.kill_probability[effector], params.killing, random
            )
            cells.partner[effector] = target
            cells.leave_min[effector], cells.hit_min[effector] = arrest
        else:
            _avoid(cells, effector, target, now, params)


def end_arrests(
    cells: Effectors,
    targets: Targets,
    params: SimulationParams,
    now: float,
    random: np.random.Generator,
) -> None:
    """Effectors leave when their time is over or their target died or divided."""
    dt = params.frame_interval_min / params.steps_per_frame
    for effector in np.flatnonzero(cells.partner != NOBODY):
        target = cells.partner[effector]
        dead_for = now - targets.death_min[target]
        if 0 <= dead_for < dt:
            wait = random.exponential(_LEAVES_DEAD_MIN)
            cells.leave_min[effector] = min(cells.leave_min[effector], now + wait)
        if now >= min(cells.leave_min[effector], targets.gone_min[target]):
            cells.partner[effector] = NOBODY
            cells.hit_min[effector] = NEVER
            _avoid(cells, effector, target, now, params)


def strike(
    cells: Effectors,
    targets: Targets,
    drift_um: np.ndarray,
    params: SimulationParams,
    now: float,
    random: np.random.Generator,
) -> None:
    """Give the hits that are due; the target then dies after its lytic delay.

    Only pairs inside the field of view strike: every kill of a movie can be seen. A
    target that is hit twice dies of the hit that kills first.
    """
    killing = params.killing
    due = (cells.partner != NOBODY) & (cells.hit_min <= now)
    for effector in np.flatnonzero(due):
        target = cells.partner[effector]
        cells.hit_min[effector] = NEVER
        seen = _in_view(cells.centre[effector] + drift_um, params) and _in_view(
            targets.centre[target] + drift_um, params
        )
        delay = random.gamma(4.0, killing.lytic_delay_min / 4)
        death = now + min(delay, killing.max_lytic_delay_min)
        still_alive = now < targets.death_min[target]
        if seen and still_alive and death < targets.death_min[target]:
            targets.death_min[target] = death
            targets.hit_min[target] = now
            targets.killer[target] = effector
            targets.cause[target] = KILLED
            targets.divide_min[target] = NEVER


def _avoid(
    cells: Effectors, effector: int, target: int, now: float, params: SimulationParams
) -> None:
    cells.avoided[effector] = target
    cells.avoid_until[effector] = now + params.effector.avoid_min


def _in_view(place_um: np.ndarray, params: SimulationParams) -> bool:
    inset = _SEEN_INSET_UM
    return bool(
        (place_um >= inset).all()
        and (place_um <= np.array(params.field_um) - inset).all()
    )
