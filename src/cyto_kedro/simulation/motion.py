"""How cells move, deform and push each other during one time step."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from cyto_kedro.simulation.life import Appearance
from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.population import NOBODY, Effectors, Targets
from cyto_kedro.simulation.shapes import (
    LOBE_SIZES,
    N_MODES,
    equal_area_radius,
    reach,
    relative_radius,
)

_PUSHES = 3
_REPOLARISING_MIN = 1.5
_CREEPING_RAD_PER_SQRT_MIN = 0.05


def walk(
    cells: Effectors,
    params: SimulationParams,
    dt: float,
    random: np.random.Generator,
) -> None:
    """Free effectors take a step of a persistent random walk; arrested ones creep."""
    turn = np.sqrt(2 * dt / params.effector.persistence_min)
    cells.heading += turn * random.standard_normal(len(cells))
    free = cells.partner == NOBODY
    pace = cells.speed * dt * np.exp(0.3 * random.standard_normal(len(cells)))
    step = np.where(free, pace, 0.0)
    cells.centre += step[:, None] * _direction(cells.heading)
    _bounce(cells.centre, cells.heading, params)


def creep(
    cells: Effectors, targets: Targets, dt: float, random: np.random.Generator
) -> None:
    """Arrested effectors move a little along the edge of their target."""
    turn = _CREEPING_RAD_PER_SQRT_MIN * np.sqrt(dt) * random.standard_normal(len(cells))
    held = cells.partner != NOBODY
    hub = targets.centre[cells.partner[held]]
    arm = cells.centre[held] - hub
    cos, sin = np.cos(turn[held]), np.sin(turn[held])
    cells.centre[held, 0] = hub[:, 0] + cos * arm[:, 0] + sin * arm[:, 1]
    cells.centre[held, 1] = hub[:, 1] + cos * arm[:, 1] - sin * arm[:, 0]
    # Once free, it walks away from the target.
    cells.heading[held] = np.arctan2(arm[:, 0], arm[:, 1])


def diffuse(
    cells: Targets,
    params: SimulationParams,
    now: float,
    dt: float,
    random: np.random.Generator,
) -> None:
    """Targets jiggle (dead ones less) and their outlines change slowly."""
    target = params.target
    step = np.sqrt(2 * target.diffusion_um2_per_min * dt)
    step = step * np.where(cells.alive(now), 1.0, 0.3)
    steps = step[:, None] * random.standard_normal((len(cells), 2))
    # The sample as a whole stays: otherwise drift would have no observable truth.
    cells.centre += steps - steps.sum(axis=0) / max(len(cells), 1)
    pull = min(dt / target.deformation_min, 1.0)
    size = 0.6 * target.irregularity * LOBE_SIZES * np.sqrt(2 * pull)
    kick = random.standard_normal((len(cells), N_MODES, 2)) @ [1, 1j] / np.sqrt(2)
    cells.modes += pull * (cells.rest_modes - cells.modes) + size * kick
    _bounce(cells.centre, np.zeros(len(cells)), params)


def polarise(cells: Effectors, params: SimulationParams, dt: float) -> None:
    """Moving effectors stretch along their way, arrested ones along the target."""
    free = cells.partner == NOBODY
    stretch = params.effector.elongation
    goal = np.zeros_like(cells.modes)
    goal[:, 0] = np.where(free, stretch, 0.6 * stretch)
    goal[:, 1] = np.where(free, -0.35 * stretch, 0.0)
    axis = cells.heading + np.where(free, 0.0, np.pi / 2)
    goal *= np.exp(1j * axis[:, None] * np.arange(2, 2 + N_MODES))
    cells.modes += min(dt / _REPOLARISING_MIN, 1.0) * (goal - cells.modes)


def push_apart(
    effectors: Effectors,
    targets: Targets,
    look: Appearance,
    params: SimulationParams,
) -> np.ndarray:
    """Resolve overlaps and keep arrested effectors on their targets.

    Returns:
        (P, 2) rows of effector and target that touch.
    """
    count = len(effectors)
    rows = np.flatnonzero(look.present)
    centre = np.concatenate([effectors.centre, targets.centre[rows]])
    modes = np.concatenate([effectors.modes, look.modes[rows]])
    radius = np.concatenate(
        [equal_area_radius(effectors.radius, effectors.modes), look.radius[rows]]
    )
    partner = _positions(effectors.partner, rows, count)
    touching: np.ndarray = np.empty((0, 2), int)
    for turn in range(_PUSHES + 1):
        pairs = _near(centre, reach(radius, modes))
        first, second = pairs.T
        away, gap = _gaps(centre, radius, modes, first, second)
        mixed = (first < count) & (second >= count)
        if turn == _PUSHES:
            close = mixed & (gap <= 0.2)
            touching = np.stack([first[close], rows[second[close] - count]], axis=1)
            break
        want = np.where(mixed, -params.effector.overlap_um, 0.0)
        want[first >= count] = params.target.spacing_um
        lack = np.maximum(want - gap, 0)
        held = mixed & (partner[np.minimum(first, len(partner) - 1)] == second)
        lack[held] = (want - gap)[held]
        share = np.where(mixed, 1.0, 0.5)  # a target does not yield to an effector
        np.add.at(centre, first, -(0.8 * lack * share)[:, None] * away)
        np.add.at(centre, second, (0.8 * lack * (1 - share))[:, None] * away)
    effectors.centre = centre[:count]
    targets.centre[rows] = centre[count:]
    return touching


def _positions(partner: np.ndarray, rows: np.ndarray, offset: int) -> np.ndarray:
    """Where each partner stands among the bodies; an impossible place for nobody."""
    at = np.searchsorted(rows, partner)
    known = (partner != NOBODY) & (at < len(rows))
    return np.append(np.where(known, at + offset, NOBODY), NOBODY)


def _near(centre: np.ndarray, radius: np.ndarray) -> np.ndarray:
    if len(centre) < 2:
        return np.empty((0, 2), int)
    pairs = cKDTree(centre).query_pairs(2 * radius.max() + 1, output_type="ndarray")
    apart = np.hypot(*(centre[pairs[:, 0]] - centre[pairs[:, 1]]).T)
    pairs = pairs[apart < radius[pairs].sum(axis=1) + 1]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(int)


def _gaps(
    centre: np.ndarray,
    radius: np.ndarray,
    modes: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors from first to second, and the free distance between outlines."""
    way = centre[second] - centre[first]
    distance = np.maximum(np.hypot(*way.T), 1e-9)
    angle = np.arctan2(way[:, 0], way[:, 1])
    near = radius[first] * relative_radius(modes[first], angle)
    far = radius[second] * relative_radius(modes[second], angle + np.pi)
    return way / distance[:, None], distance - near - far


def _direction(heading: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(heading), np.cos(heading)], axis=1)


def _bounce(centre: np.ndarray, heading: np.ndarray, params: SimulationParams) -> None:
    """Reflect cells at the border of the simulated world."""
    for axis, size in enumerate(params.field_um):
        low, high = -params.margin_um, size + params.margin_um
        out = (centre[:, axis] < low) | (centre[:, axis] > high)
        centre[:, axis] = np.clip(centre[:, axis], low, high)
        heading[out] = (-heading if axis == 0 else np.pi - heading)[out]
