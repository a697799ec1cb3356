"""The life of all cells, frame by frame, before anything is imaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.simulation import killing, life, motion
from cyto_kedro.simulation.dimming import Dimming
from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.population import Effectors, Targets, found
from cyto_kedro.simulation.shapes import centroid_offset, equal_area_radius
from cyto_kedro.simulation.stage import drift_px
from cyto_kedro.simulation.streams import Stream, generator


@dataclass(frozen=True)
class Snapshot:
    """N cells of one role in one frame, in sample coordinates (without drift).

    Attributes:
        ids: (N,) int64, from 1, the same in every frame.
        centre_um: (N, 2) row, column of the outline's centre.
        radius_um: (N,) R of the outline.
        modes: (N, K) lobes of the outline.
        alive: (N,) bool.
        live: (N,) live signal relative to a healthy cell.
        dye: (N,) death dye relative to its plateau.
        dimmed: (N,) bool, the cell is nearly invisible in this frame.
    """

    ids: np.ndarray
    centre_um: np.ndarray
    radius_um: np.ndarray
    modes: np.ndarray
    alive: np.ndarray
    live: np.ndarray
    dye: np.ndarray
    dimmed: np.ndarray

    @property
    def centroid_um(self) -> np.ndarray:
        """(N, 2) row, column of the centroid of the whole cell."""
        return self.centre_um + centroid_offset(self.radius_um, self.modes)


@dataclass(frozen=True)
class History:
    """Everything that happened.

    Attributes:
        drift_px: (T, 2) displacement of the image content since frame 0.
        effectors: One snapshot per frame.
        targets: One snapshot per frame.
        fates: The final state of all targets that ever lived; id = row + 1.
        crew: Effectors at the end of the movie, in view or not; id = row + 1.
        hits: Every hit on a living target, in the order of time.
    """

    drift_px: np.ndarray
    effectors: tuple[Snapshot, ...]
    targets: tuple[Snapshot, ...]
    fates: Targets
    crew: Effectors
    hits: tuple[killing.Hit, ...]


def simulate_history(params: SimulationParams) -> History:
    """Run the cells through the movie.

    Raises:
        ConfigError: The cells do not fit into the field.
    """
    effectors, targets = found(params)
    streams = {stream: generator(params.seed, stream) for stream in Stream}
    drift = drift_px(params)
    dt = params.frame_interval_min / params.steps_per_frame
    seen_effectors, seen_targets = [], []
    hits: list[killing.Hit] = []
    dim = [Dimming(params, role) for role in (0, 1)]
    motion.polarise(effectors, params, np.inf)
    look = life.appearance(targets, params, 0.0)
    motion.push_apart(effectors, targets, look, params)
    for frame in range(params.n_frames):
        dimmed = dim[0].of(frame, len(effectors)), dim[1].of(frame, len(targets))
        seen_effectors.append(_effectors_now(effectors, dimmed[0]))
        seen_targets.append(_targets_now(targets, params, frame, dimmed[1]))
        for step in range(params.steps_per_frame):
            now = (frame * params.steps_per_frame + step + 1) * dt
            drift_um = drift[frame] * params.pixel_size_um
            hits += _advance(effectors, targets, drift_um, params, now, dt, streams)
    seen = tuple(seen_effectors), tuple(seen_targets)
    return History(drift, *seen, targets, effectors, tuple(hits))


def _advance(
    effectors: Effectors,
    targets: Targets,
    drift_um: np.ndarray,
    params: SimulationParams,
    now: float,
    dt: float,
    streams: dict[Stream, np.random.Generator],
) -> list[killing.Hit]:
    """One time step; ``now`` is its end. Returns the hits that were given."""
    random = streams[Stream.KILLING]
    motion.walk(effectors, params, dt, streams[Stream.EFFECTORS])
    motion.diffuse(targets, params, now, dt, streams[Stream.TARGETS])
    motion.creep(effectors, targets, dt, streams[Stream.EFFECTORS])
    motion.polarise(effectors, params, dt)
    life.divide(targets, params, now, streams[Stream.TARGETS], streams[Stream.LIFE])
    look = life.appearance(targets, params, now)
    killing.end_arrests(effectors, targets, params, now, random)
    touching = motion.push_apart(effectors, targets, look, params)
    killing.begin_arrests(effectors, touching, look, params, now, random)
    return killing.strike(effectors, targets, drift_um, params, now, random)


def _effectors_now(cells: Effectors, dimmed: np.ndarray) -> Snapshot:
    count = len(cells)
    return Snapshot(
        ids=np.arange(1, count + 1),
        centre_um=cells.centre.copy(),
        radius_um=equal_area_radius(cells.radius, cells.modes),
        modes=cells.modes.copy(),
        alive=np.ones(count, bool),
        live=np.ones(count),
        dye=np.zeros(count),
        dimmed=dimmed,
    )


def _targets_now(
    cells: Targets, params: SimulationParams, frame: int, dimmed: np.ndarray
) -> Snapshot:
    look = life.appearance(cells, params, frame * params.frame_interval_min)
    rows = np.flatnonzero(look.present)
    return Snapshot(
        ids=rows + 1,
        centre_um=cells.centre[rows],
        radius_um=look.radius[rows],
        modes=look.modes[rows],
        alive=look.alive[rows],
        live=look.live[rows],
        dye=look.dye[rows],
        dimmed=dimmed[rows],
    )
