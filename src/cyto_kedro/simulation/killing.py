"""Who arrests on whom, who is hit, and when the hit target dies.

A killing model says when the hits of an arrest fall and which damage they do; a further
one is one entry in ``KILLING_MODELS``. What differs between effectors (non-killers,
serial killers, exhaustion) are columns of ``Effectors``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cyto_kedro.simulation.killing_params import LyticHitsParams, SingleHitParams
from cyto_kedro.simulation.life import Appearance
from cyto_kedro.simulation.params import SimulationParams
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
    """When an arrest ends and when its first hit falls (min; inf = none)."""

    leave_min: float
    hit_min: float


class Hit(NamedTuple):
    """A hit that was given, lethal or not; rows of both cells."""

    target: int
    effector: int
    time_min: float
    lethal: bool


class KillingModel(NamedTuple):
    """What a model decides; both take now, potency, parameters and a generator.

    Attributes:
        begin: The course of an arrest that begins now.
        again: When the next hit of the same arrest falls, after one that falls now.
        wound: Damage of a target after a hit now / the damage that kills; from its
            damage after the hit before and the minutes since then.
    """

    begin: Callable[[float, float, Any, np.random.Generator], Arrest]
    again: Callable[[float, float, Any, np.random.Generator], float]
    wound: Callable[[float, float, Any], float]


def single_hit(
    now: float, potency: float, params: SingleHitParams, random: np.random.Generator
) -> Arrest:
    """Some arrests end in one lethal hit, given in their second half."""
    dwell = random.gamma(3.0, params.dwell_min / 3)
    lethal = random.random() < potency * params.kill_probability
    hit = now + dwell * random.uniform(0.5, 0.95) if lethal else NEVER
    return Arrest(now + dwell, hit)


def lytic_hits(
    now: float, potency: float, params: LyticHitsParams, random: np.random.Generator
) -> Arrest:
    """Hits come at a constant rate for as long as the arrest lasts."""
    dwell = random.gamma(3.0, params.dwell_min / 3)
    return Arrest(now + dwell, next_lytic_hit(now, potency, params, random))


def next_lytic_hit(
    now: float, potency: float, params: LyticHitsParams, random: np.random.Generator
) -> float:
    """Time of the next hit of a Poisson process."""
    rate = potency * params.hits_per_hour / 60
    return now + random.exponential(1 / rate) if rate > 0 else NEVER


def accumulated(damage: float, minutes: float, params: LyticHitsParams) -> float:
    """Damage halves again and again; a hit adds 1."""
    left = (
        damage * params.lethal_damage * 0.5 ** (minutes / params.recovery_half_life_min)
    )
    return (left + 1) / params.lethal_damage


KILLING_MODELS: dict[str, KillingModel] = {
    "single_hit": KillingModel(single_hit, lambda *_: NEVER, lambda *_: 1.0),
    "lytic_hits": KillingModel(lytic_hits, next_lytic_hit, accumulated),
}


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
    potency = np.where(cells.kills_left > 0, cells.potency, 0.0)
    for effector, target in touching:
        busy = cells.partner[effector] != NOBODY
        avoids = cells.avoided[effector] == target and now < cells.avoid_until[effector]
        if busy or avoids or not look.alive[target]:
            continue
        if random.random() < params.effector.arrest_probability:
            arrest = model.begin(now, potency[effector], params.killing, random)
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
) -> list[Hit]:
    """Give the hits that are due; a lethal one kills after its lytic delay.

    Only pairs inside the field of view strike: every kill of a movie can be seen. A
    target that is hit lethally twice dies of the hit that kills first.

    Returns:
        The hits on living targets.
    """
    killing, given = params.killing, []
    model = KILLING_MODELS[killing.name]
    due = (cells.partner != NOBODY) & (cells.hit_min <= now)
    for effector in np.flatnonzero(due):
        target = cells.partner[effector]
        delay = random.gamma(4.0, killing.lytic_delay_min / 4)
        death = now + min(delay, killing.max_lytic_delay_min)
        seen = _in_view(cells.centre[effector] + drift_um, params) and _in_view(
            targets.centre[target] + drift_um, params
        )
        lethal = False
        if seen and now < targets.death_min[target]:
            lethal = _wound(targets, target, model, params, now)
            given.append(Hit(int(target), int(effector), now, lethal))
        if lethal and death < targets.death_min[target]:
            _doom(cells, targets, effector, target, now, death)
        able = cells.potency[effector] if cells.kills_left[effector] > 0 else 0.0
        cells.hit_min[effector] = model.again(now, able, killing, random)
    return given


def _wound(
    targets: Targets,
    target: int,
    model: KillingModel,
    params: SimulationParams,
    now: float,
) -> bool:
    """Whether a hit now is enough to kill."""
    since = now - targets.damaged_min[target]
    targets.damage[target] = model.wound(targets.damage[target], since, params.killing)
    targets.damaged_min[target] = now
    return bool(targets.damage[target] >= 1)


def _doom(
    cells: Effectors,
    targets: Targets,
    effector: int,
    target: int,
    now: float,
    death: float,
) -> None:
    """The target will die of this hit, and no longer of an earlier one."""
    if targets.killer[target] != NOBODY:
        cells.kills_left[targets.killer[target]] += 1
    cells.kills_left[effector] -= 1
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
