"""The cells of a movie as growing columns, and where they start."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.shapes import LOBE_SIZES, N_MODES
from cyto_kedro.simulation.streams import Stream, generator

NEVER = np.inf
NOBODY = -1
KILLED, BYSTANDER, BEFORE_START = "killed", "bystander", "before_start"
_ATTEMPTS = 4000


@dataclass
class Effectors:
    """One row per effector, id = row + 1; times in minutes, lengths in um."""

    centre: np.ndarray  # (N, 2) row, column
    radius: np.ndarray
    modes: np.ndarray  # (N, K) complex
    heading: np.ndarray  # angle from the x axis
    speed: np.ndarray
    potency: np.ndarray  # factor of the chance or rate of a hit
    kills_left: np.ndarray  # before it is exhausted; inf = never
    kind: np.ndarray  # row of its class
    partner: np.ndarray  # row of the target that it is arrested on, or NOBODY
    leave_min: np.ndarray
    hit_min: np.ndarray
    avoided: np.ndarray  # row of the target last met, or NOBODY
    avoid_until: np.ndarray

    def __len__(self) -> int:
        return len(self.radius)


@dataclass
class Targets:
    """One row per target that ever lived, id = row + 1; a divided one stays as row."""

    centre: np.ndarray
    radius: np.ndarray
    modes: np.ndarray
    rest_modes: np.ndarray
    parent: np.ndarray  # row, or NOBODY
    birth_min: np.ndarray
    divide_min: np.ndarray
    gone_min: np.ndarray  # when it divided
    death_min: np.ndarray
    cause: np.ndarray  # str
    hit_min: np.ndarray
    killer: np.ndarray  # row of the effector, or NOBODY
    damage: np.ndarray  # by hits / lethal damage, at the time of the last hit
    damaged_min: np.ndarray  # time of that hit

    def __len__(self) -> int:
        return len(self.radius)

    def present(self, now: float) -> np.ndarray:
        """(N,) bool: born and not divided."""
        return (self.birth_min <= now) & (now < self.gone_min)

    def alive(self, now: float) -> np.ndarray:
        """(N,) bool: present and not dead."""
        return self.present(now) & (now < self.death_min)

    def extend(self, other: Targets) -> None:
        """Append rows."""
        for column in fields(self):
            both = (getattr(self, column.name), getattr(other, column.name))
            setattr(self, column.name, np.concatenate(both))


def found(params: SimulationParams) -> tuple[Effectors, Targets]:
    """Effectors and targets at time 0, in the field and beyond it at equal density."""
    random = generator(params.seed, Stream.PLACEMENT)
    life = generator(params.seed, Stream.LIFE)
    target, effector = params.target, params.effector
    taken = np.empty((0, 3))
    spread = 1 + 1.2 * target.irregularity
    places, taken = _place(
        params, params.n_targets, target.radius_um * spread, taken, random
    )
    targets = new_targets(params, places, 0.0, random, life)
    dead = min(target.n_dead_at_start, params.n_targets)
    targets.death_min[:dead] = -60.0
    targets.cause[:dead] = BEFORE_START
    places, _ = _place(params, params.n_effectors, effector.radius_um, taken, random)
    return _new_effectors(params, places, random), targets


def new_targets(
    params: SimulationParams,
    centre: np.ndarray,
    now: float,
    random: np.random.Generator,
    life: np.random.Generator,
) -> Targets:
    """Targets born now, with outline and the times of division and natural death."""
    target, count = params.target, len(centre)
    size = target.irregularity * LOBE_SIZES
    lobes = random.standard_normal((count, N_MODES, 2)) @ [1, 1j] / np.sqrt(2)
    rest = lobes * size
    death = now + 60 * _waiting(target.bystander_death_per_hour, count, life)
    divide = now + 60 * _waiting(target.division_per_hour, count, life)
    # A division needs its rounding, which nobody in the first frame has begun.
    divide += target.mitosis_min
    divide[divide > death - target.mitosis_min] = NEVER
    return Targets(
        centre=centre,
        radius=_radii(target.radius_um, target.radius_cv, count, random),
        modes=rest.copy(),
        rest_modes=rest,
        parent=np.full(count, NOBODY),
        birth_min=np.full(count, now),
        divide_min=divide,
        gone_min=np.full(count, NEVER),
        death_min=death,
        cause=np.full(count, BYSTANDER, dtype="<U12"),
        hit_min=np.full(count, NEVER),
        killer=np.full(count, NOBODY),
        damage=np.zeros(count),
        damaged_min=np.full(count, now),
    )


def _new_effectors(
    params: SimulationParams, centre: np.ndarray, random: np.random.Generator
) -> Effectors:
    effector, count = params.effector, len(centre)
    speed = np.exp(effector.speed_cv * random.standard_normal(count))
    classes = params.killing.classes
    kind = _kinds(params, count)
    most = np.array([c.max_kills or NEVER for c in classes], dtype=np.float64)
    return Effectors(
        centre=centre,
        radius=_radii(effector.radius_um, effector.radius_cv, count, random),
        modes=np.zeros((count, N_MODES), complex),
        heading=random.uniform(-np.pi, np.pi, count),
        speed=effector.speed_um_per_min * speed,
        potency=np.array([c.potency for c in classes])[kind],
        kills_left=most[kind],
        kind=kind,
        partner=np.full(count, NOBODY),
        leave_min=np.full(count, NEVER),
        hit_min=np.full(count, NEVER),
        avoided=np.full(count, NOBODY),
        avoid_until=np.zeros(count),
    )


def _kinds(params: SimulationParams, count: int) -> np.ndarray:
    """(N,) class of each effector, in the stated shares up to one cell, dealt out."""
    shares = np.array([c.share for c in params.killing.classes])
    random = generator(params.seed, Stream.CLASSES)
    ends = np.rint(np.cumsum(shares / shares.sum()) * count).astype(int)
    kind = np.repeat(np.arange(len(shares)), np.diff(ends, prepend=0))
    return random.permutation(kind)


def _waiting(rate: float, count: int, random: np.random.Generator) -> np.ndarray:
    draws = random.standard_exponential(count)
    return draws / rate if rate else np.full(count, NEVER)


def _radii(
    mean: float, cv: float, count: int, random: np.random.Generator
) -> np.ndarray:
    return mean * (1 + cv * np.clip(random.standard_normal(count), -2.5, 2.5))


def _place(
    params: SimulationParams,
    count: int,
    radius: float,
    taken: np.ndarray,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Discs at random that touch nobody: ``count`` in the field, as dense around it."""
    field = np.array(params.field_um)
    world = field + 2 * params.margin_um
    around = round(count * (world.prod() / field.prod() - 1))
    discs = np.empty((len(taken) + count + around, 3))
    discs[: len(taken)] = taken
    used = len(taken)
    for inside in [True] * count + [False] * around:
        for _ in range(_ATTEMPTS):
            place = random.uniform(0, 1, 2) * world - params.margin_um
            if inside:
                place = (place + params.margin_um) / world * field
            elif ((place >= 0) & (place < field)).all():
                continue
            apart = np.hypot(*(discs[:used, :2] - place).T) - discs[:used, 2]
            if (apart > radius).all():
                break
        else:
            raise ConfigError(
                "The cells do not fit into the field of view",
                where=f"{count} cells of {radius:.1f} um in {field} um",
                fix="simulate fewer or smaller cells, or a larger field",
            )
        discs[used] = [*place, radius]
        used += 1
    return discs[len(taken) : used, :2].copy(), discs[:used]
