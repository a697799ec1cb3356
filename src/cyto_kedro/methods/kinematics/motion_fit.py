"""The motion of a cell type in one row: diffusion, persistence, speed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import MOTION_FIT
from cyto_kedro.methods.kinematics.msd import fit_msd
from cyto_kedro.methods.kinematics.persistence import PersistenceFit
from cyto_kedro.methods.kinematics.points import Points
from cyto_kedro.methods.kinematics.steps import Steps


def motion_fit(
    points: Points, steps: Steps, msd: pd.DataFrame, persistence: PersistenceFit
) -> pd.DataFrame:
    """Table MOTION_FIT, one row; none without tracks.

    Args:
        points: The sorted points.
        steps: Their steps.
        msd: Table MSD of the same tracks.
        persistence: Fit of the autocorrelation of their steps.
    """
    if not len(points):
        return MOTION_FIT.empty()
    last = points.starts + points.counts - 1
    span = int((points.frame[last] - points.frame[points.starts]).max()) + 1
    diffusion = fit_msd(msd, span, len(points.axes))
    known = np.isfinite(steps.speed)
    row = {
        "n_tracks": len(np.unique(points.track[known])),
        "n_steps": int(known.sum()),
        "mean_speed_um_per_min": steps.speed[known].mean() if known.any() else np.nan,
        "msd_diffusion": diffusion.diffusion,
        "msd_exponent": diffusion.alpha,
        "msd_lags": diffusion.n_lags,
        "persistence_min": persistence.time_min,
        "persistence_low_min": persistence.low_min,
        "persistence_high_min": persistence.high_min,
        "persistence_amplitude": persistence.amplitude,
        "persistence_lags": persistence.n_lags,
        "persistence_verdict": persistence.verdict,
    }
    return MOTION_FIT.conform(pd.DataFrame([row]))
