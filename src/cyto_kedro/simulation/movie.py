"""A simulated movie: frames on demand, masks and tables of the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.simulation import camera, render, truth, truth_hits
from cyto_kedro.simulation.history import History, Snapshot, simulate_history
from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.streams import Stream, generator

if TYPE_CHECKING:
    import dask.array as da

TCELL, CANCER, DEATH = "tcell", "cancer", "death"
CHANNELS = (TCELL, CANCER, DEATH)


@dataclass(frozen=True)
class SimulatedMovie:
    """One movie. Nothing is held but the course of events: frames are rendered.

    Attributes:
        params: What was simulated.
        history: Outlines and states of all cells per frame, and the drift.
        looks: Brightness and texture of the cells by role.
        effector: Name of the effector role, also its channel.
        target: Name of the target role, also its channel.
    """

    params: SimulationParams
    history: History = field(repr=False)
    looks: dict[str, render.Looks] = field(repr=False)
    effector: str = TCELL
    target: str = CANCER

    @property
    def shape(self) -> tuple[int, int, int]:
        """T, Y, X."""
        return self.params.n_frames, self.params.height_px, self.params.width_px

    @property
    def roles(self) -> tuple[str, str]:
        """Effector and target."""
        return self.effector, self.target

    @property
    def images(self) -> dict[str, Callable[[int], np.ndarray]]:
        """By channel: a function from the frame index to a YX uint16 frame."""
        return {channel: partial(self.frame, channel) for channel in CHANNELS}

    def frame(self, channel: str, t: int) -> np.ndarray:
        """YX uint16 counts of one channel in one frame; the same on every call.

        Raises:
            KeyError: There is no such channel.
            IndexError: There is no such frame.
        """
        number = CHANNELS.index(channel) if channel in CHANNELS else None
        if number is None:
            raise KeyError(channel)
        optics = self.params.optics
        photons = camera.blur(self._light(channel, t), optics, self._pixel)
        photons += np.float32(optics.background_photons)
        photons *= camera.illumination(self.shape[1:], optics.vignetting)
        random = generator(self.params.seed, Stream.CAMERA, number, t)
        return camera.expose(photons, optics, random)

    def mask(self, role: str, t: int) -> np.ndarray:
        """YX uint32 true mask; the label is the id of the cell in all frames."""
        return render.masks(
            self.cells(role, t), self.history.drift_px[t], self._pixel, self.shape[1:]
        )

    def cells(self, role: str, t: int) -> Snapshot:
        """All cells of a role in one frame, in view or not."""
        by_role = {
            self.effector: self.history.effectors,
            self.target: self.history.targets,
        }
        return by_role[role][t]

    def stack(self, channel: str) -> da.Array:
        """Lazy TYX uint16 channel, one chunk per frame."""
        return self._lazy(partial(self.frame, channel), np.uint16)

    def label_stack(self, role: str) -> da.Array:
        """Lazy TYX uint32 true masks, one chunk per frame."""
        return self._lazy(partial(self.mask, role), np.uint32)

    @property
    def tracks(self) -> pd.DataFrame:
        """Table ``truth.TRACKS``: one row per cell and frame in view."""
        return self._observed[0]

    @property
    def contacts(self) -> pd.DataFrame:
        """Table ``truth.CONTACTS``: masks within one pixel diagonal."""
        return self._observed[1]

    @cached_property
    def deaths(self) -> pd.DataFrame:
        """Table ``truth.DEATHS``."""
        return truth.deaths(self)

    @cached_property
    def hits(self) -> pd.DataFrame:
        """Table ``truth_hits.HITS``: the sublethal ones too."""
        return truth_hits.hits(self)

    @cached_property
    def effectors(self) -> pd.DataFrame:
        """Table ``truth_hits.EFFECTORS``: who could kill, and who did."""
        return truth_hits.effectors(self)

    @cached_property
    def divisions(self) -> pd.DataFrame:
        """Table ``truth.DIVISIONS``."""
        return truth.divisions(self)

    @cached_property
    def drift(self) -> pd.DataFrame:
        """Table ``truth.DRIFT``."""
        return truth.drift(self)

    @cached_property
    def _observed(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return truth.observe(self)

    @property
    def _pixel(self) -> float:
        return self.params.pixel_size_um

    def _light(self, channel: str, t: int) -> np.ndarray:
        """Sharp YX float32 photons of the dyes in one channel."""
        optics = self.params.optics
        left = camera.bleaching(self.params, t)
        if channel == self.effector:
            live, _ = self._dyes(self.effector, t)
            return np.float32(optics.effector_photons * left) * live
        live, dye = self._dyes(self.target, t)
        live *= np.float32(optics.target_photons * left)
        if channel == self.target:
            return live
        return np.float32(optics.dye_photons) * dye + np.float32(optics.leakage) * live

    def _dyes(self, role: str, t: int) -> tuple[np.ndarray, np.ndarray]:
        return render.light(
            self.cells(role, t),
            self.looks[role],
            self.history.drift_px[t],
            self._pixel,
            self.shape[1:],
            self.params.optics.dim_signal,
        )

    def _lazy(self, function: Callable[[int], np.ndarray], dtype: type) -> da.Array:
        import dask.array as da

        _, height, width = self.shape

        def block(indices: np.ndarray) -> np.ndarray:
            return function(int(indices[0, 0, 0]))[np.newaxis]

        frames = da.arange(self.shape[0], chunks=1)[:, None, None]
        return frames.map_blocks(
            block,
            chunks=((1,) * self.shape[0], (height,), (width,)),
            dtype=dtype,
            meta=np.empty((0, 0, 0), dtype),
        )


def simulate(params: SimulationParams | None = None) -> SimulatedMovie:
    """Simulate a movie; deterministic in its parameters.

    Raises:
        ConfigError: The cells do not fit into the field.
    """
    params = params or SimulationParams()
    history = simulate_history(params)
    random = generator(params.seed, Stream.LOOKS)
    effector, target = params.effector, params.target
    looks = {
        TCELL: render.Looks.draw(
            len(history.crew), effector.brightness_cv, effector.radius_um, 1.0, random
        ),
        CANCER: render.Looks.draw(
            len(history.fates), target.brightness_cv, target.radius_um, 0.72, random
        ),
    }
    return SimulatedMovie(params, history, looks)
