"""How targets look over their life, and how they divide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.population import NEVER, Targets, new_targets
from cyto_kedro.simulation.shapes import equal_area_radius

_DAUGHTER_SPREADS_MIN = 15.0
_MITOTIC_BRIGHTNESS = 0.45
_MITOTIC_RADIUS = 0.92
_DEAD_IRREGULARITY = 0.35
# 10 to 90 % of a logistic curve takes 4.4 of its time constants.
_LOGISTIC_RISE = 2 * np.log(9)


@dataclass(frozen=True)
class Appearance:
    """What is seen of N targets now.

    Attributes:
        present: (N,) bool, born and not divided.
        alive: (N,) bool.
        modes: (N, K) outline as shown.
        radius: (N,) R of that outline (um).
        live: (N,) live signal relative to a healthy cell.
        dye: (N,) death dye relative to its plateau.
    """

    present: np.ndarray
    alive: np.ndarray
    modes: np.ndarray
    radius: np.ndarray
    live: np.ndarray
    dye: np.ndarray


def appearance(cells: Targets, params: SimulationParams, now: float) -> Appearance:
    """Outline and brightness of every target at one time."""
    dead_for = np.maximum(now - cells.death_min, 0.0)
    mitosis = _mitosis(cells, params, now)
    modes = cells.modes * _lobes(cells, params, dead_for, mitosis, now)[:, None]
    shrunk = 1 - np.exp(-dead_for / params.dying.shrinking_min)
    size = 1 - (1 - params.dying.final_radius) * shrunk
    size *= 1 - (1 - _MITOTIC_RADIUS) * mitosis
    size *= np.sqrt(_grown_area(cells, params, now))
    fade = 1 - np.exp(-dead_for / params.dying.fading_min)
    live = 1 - (1 - params.dying.final_signal) * fade
    return Appearance(
        present=cells.present(now),
        alive=cells.alive(now),
        modes=modes,
        radius=equal_area_radius(cells.radius * size, modes),
        live=live * (1 + _MITOTIC_BRIGHTNESS * mitosis),
        dye=_dye(now - cells.death_min, params.dying.dye_rise_min),
    )


def divide(
    cells: Targets,
    params: SimulationParams,
    now: float,
    random: np.random.Generator,
    life: np.random.Generator,
) -> None:
    """Replace each living target whose time has come by two touching daughters."""
    due = cells.alive(now) & (cells.divide_min <= now)
    for mother in np.flatnonzero(due):
        angle = random.uniform(-np.pi, np.pi)
        axis = np.array([np.sin(angle), np.cos(angle)])
        arm = cells.radius[mother] / np.sqrt(2)
        centre = cells.centre[mother] + np.array([[arm], [-arm]]) * axis
        daughters = new_targets(params, centre, now, random, life)
        daughters.parent[:] = mother
        # Nobody divides twice in a movie of hours.
        daughters.divide_min[:] = NEVER
        cells.gone_min[mother] = now
        cells.extend(daughters)


def _mitosis(cells: Targets, params: SimulationParams, now: float) -> np.ndarray:
    begun = now - (cells.divide_min - params.target.mitosis_min)
    ramp = np.clip(begun / (0.5 * params.target.mitosis_min), 0, 1)
    return np.where(cells.alive(now), ramp, 0.0)


def _lobes(
    cells: Targets,
    params: SimulationParams,
    dead_for: np.ndarray,
    mitosis: np.ndarray,
    now: float,
) -> np.ndarray:
    """(N,) share of the lobes that is shown: mitotic and dying cells are round."""
    age = np.maximum(now - cells.birth_min, 0)
    born_here = cells.parent >= 0
    spread = np.where(born_here, 1 - np.exp(-age / _DAUGHTER_SPREADS_MIN), 1.0)
    rounded = 1 - np.exp(-dead_for / params.dying.shrinking_min)
    return spread * (1 - mitosis) * (1 - (1 - _DEAD_IRREGULARITY) * rounded)


def _grown_area(cells: Targets, params: SimulationParams, now: float) -> np.ndarray:
    age = np.maximum(now - cells.birth_min, 0)
    grown = np.minimum(0.5 * (1 + age / params.target.growth_min), 1.0)
    return np.where(cells.parent >= 0, grown, 1.0)


def _dye(dead_for: np.ndarray, rise_min: float) -> np.ndarray:
    """Logistic rise that begins at death with a tenth of the plateau."""
    constant = rise_min / _LOGISTIC_RISE
    middle = constant * np.log(9)
    ratio = np.clip((dead_for - middle) / constant, -50, 50)
    return np.where(dead_for >= 0, 1 / (1 + np.exp(-ratio)), 0.0)
