"""The limits of a LAP run: as given, or estimated from the movie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tracking.candidates import Candidates
from cyto_kedro.methods.tracking.options import LapOptions

#: Automatic linking limit in standard deviations of the prediction error.
_SIGMAS = 6.0
#: Smallest automatic linking limit relative to the cell spacing: nobody else is near.
_FLOOR = 0.4
#: Automatic gap-closing limit relative to the linking limit.
_GAP_FACTOR = 1.5
#: Automatic splitting limit relative to the cell spacing.
_SPLIT_FACTOR = 0.75
#: Fewest links that an error estimate is taken from.
_ENOUGH = 30


@dataclass(frozen=True)
class Limits:
    """Largest distances in um; None = off.

    The factors are fixed for all movies; what they multiply is taken from the movie.

    Attributes:
        first: Limit while the motion of the cells is still being learned.
        spacing: Cell spacing, or the field's diagonal if cells are always alone.
    """

    first: float
    spacing: float
    options: LapOptions

    @classmethod
    def of(
        cls, spacing_um: float, calibration: Calibration, options: LapOptions
    ) -> Limits:
        """Start from the spacing: beyond it, cells are confused with each other."""
        if not np.isfinite(spacing_um):
            height, width = field_um(calibration)
            spacing_um = float(np.hypot(height, width))
        given = options.linking_max_distance_um
        first = spacing_um if given == "auto" else given
        return cls(first=first, spacing=spacing_um, options=options)

    def linking(self, links: Candidates) -> float:
        """Linking limit once ``links`` show how well cells can be predicted.

        Automatic: six standard deviations of the error (from its median, which wrong
        links hardly move, as of a Rayleigh distribution), at most the cell spacing,
        at least 0.4 of it. A tighter limit keeps a missed cell's neighbours from
        being drawn into its place.
        """
        if self.options.linking_max_distance_um != "auto" or len(links) < _ENOUGH:
            return self.first
        reach = _SIGMAS * self.sigma(links)
        return float(np.clip(reach, _FLOOR * self.spacing, self.spacing))

    def sigma(self, links: Candidates) -> float:
        """Standard deviation of the prediction error per axis (um)."""
        if len(links) < _ENOUGH:
            return self.first / _SIGMAS
        return float(np.sqrt(np.median(links.distance_um**2) / (2.0 * np.log(2.0))))

    def gap(self, linking_um: float) -> float | None:
        """Gap-closing limit; automatic: 1.5 x the linking limit within the spacing."""
        given = self.options.gap_closing_max_distance_um
        if given != "auto":
            return given
        return max(linking_um, min(_GAP_FACTOR * linking_um, self.spacing))

    @property
    def split(self) -> float | None:
        """Splitting limit; automatic: three quarters of the cell spacing."""
        given = self.options.splitting_max_distance_um
        return _SPLIT_FACTOR * self.spacing if given == "auto" else given


def field_um(calibration: Calibration) -> tuple[float, float]:
    """Height and width of the field of view."""
    return (
        calibration.height_px * calibration.pixel_size_y_um,
        calibration.width_px * calibration.pixel_size_x_um,
    )
