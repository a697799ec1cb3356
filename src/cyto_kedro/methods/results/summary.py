"""The few numbers of a movie that stand on top of its report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.kinematics.msd import fit_msd

Summary = dict[str, Any]


def movie_facts(calibration: Calibration) -> Summary:
    """Size and duration of the movie."""
    times = calibration.times_min
    return {
        "movie": calibration.movie,
        "channels": list(calibration.channels),
        "n_frames": calibration.n_frames,
        "duration_min": number(times[-1] - times[0]),
        "frame_interval_min": number(calibration.frame_interval_min),
        "width_um": number(calibration.width_px * calibration.pixel_size_x_um),
        "height_um": number(calibration.height_px * calibration.pixel_size_y_um),
    }


def role_facts(
    kind: str,
    counts: pd.DataFrame,
    kinematics: pd.DataFrame,
    tracks: pd.DataFrame,
    msd: pd.DataFrame,
) -> Summary:
    """Cells, tracks and motion of one role.

    Args:
        kind: Effector, target or other.
        counts: FRAME_COUNTS.
        kinematics: KINEMATICS.
        tracks: TRACK_SUMMARY.
        msd: MSD.
    """
    span = tracks["last_frame"] - tracks["first_frame"] + 1
    fit = fit_msd(msd, int(span.max()) if len(tracks) else 0)
    return {
        "kind": kind,
        "n_detections": int(counts["n_cells"].sum()),
        "median_cells_per_frame": median(counts["n_cells"]),
        "n_tracks": len(tracks),
        "median_track_min": median(tracks["duration_min"]),
        "n_divisions": int((tracks["n_daughters"] >= 2).sum()),
        "median_speed_um_per_min": median(kinematics["speed_um_per_min"]),
        "median_straightness": median(tracks["straightness"]),
        "median_arrest_coefficient": median(tracks["arrest_coefficient"]),
        "diffusion_um2_per_min": number(fit.diffusion),
        "msd_exponent": number(fit.alpha),
    }


def event_counts(events: pd.DataFrame) -> Summary:
    """Suspicious places in the tracks of a role by kind (table SUSPICIOUS_EVENTS)."""
    return {str(k): int(n) for k, n in events["kind"].value_counts().items()}


def death_facts(deaths: pd.DataFrame) -> Summary:
    """Fates of the targets of one role (table DEATHS)."""
    at_entry = deaths["reason"] == "dead_at_entry"
    died = ~deaths["censored"] & ~at_entry
    return {
        "n_at_risk": int((~at_entry).sum()),
        "n_deaths": int(died.sum()),
        "n_dead_at_entry": int(at_entry.sum()),
        "median_death_time_min": median(deaths.loc[died, "death_time_min"]),
    }


def contact_facts(episodes: pd.DataFrame) -> Summary:
    """Contacts of one pair of roles (table EPISODES)."""
    return {
        "n_episodes": len(episodes),
        "n_touching_effectors": int(episodes["effector_track_id"].nunique()),
        "n_touched_targets": int(episodes["target_track_id"].nunique()),
        "median_dwell_min": median(episodes["dwell_min"]),
    }


def median(values: pd.Series) -> float | None:
    """Median of what is known; None if nothing is (pandas would warn)."""
    known = values.dropna()
    return number(known.median()) if len(known) else None


def number(value: float) -> float | None:
    """A JSON number; None where undefined, since JSON knows no NaN."""
    return float(value) if np.isfinite(value) else None
