"""Motion and channels side by side, in pyCyto's call style."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.api.base import Module, as_stack, need
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.features.channel_correlation import channel_correlation
from cyto_kedro.methods.preprocessing.tables import drift_table
from cyto_kedro.pipelines.kinematics.nodes import measure_motion
from cyto_kedro.pipelines.kinematics.params import KinematicsParams


class _Motion(Module):
    """Tables of motion of a tracked table."""

    def measured(self, data: dict[str, Any]) -> tuple[pd.DataFrame, ...]:
        """Tables KINEMATICS, TRACK_SUMMARY and MSD.

        Raises:
            InputError: There is no table, or it was not tracked.
        """
        tracks: pd.DataFrame = need(data, "dataframe", "feature")
        need(dict.fromkeys(tracks.columns), "track_id")
        frames = int(tracks["frame"].max()) + 1 if len(tracks) else 1
        calibration: Calibration = self.calibration((frames, 1, 1))
        options = self.state.get("kinematics") or {}
        return measure_motion(
            tracks, calibration, KinematicsParams.model_validate(options)
        )


class Kinematics(_Motion):
    """Velocity, speed and path of every point, from the point before."""

    name = "Kinematics"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``dataframe`` with ``track_id`` -> ``dataframe``: table KINEMATICS."""
        table = self.measured(data)[0]
        return data | {"dataframe": table, "feature": table}


class MSD(_Motion):
    """Mean squared displacement by lag; ``max_lag`` in frames."""

    name = "MSD"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``dataframe`` with ``track_id`` -> ``dataframe``: table MSD."""
        table = self.measured(data)[2]
        return data | {"dataframe": table, "feature": table}


class CrossChannelCorrelation(Module):
    """Pearson's correlation of channels, frame by frame."""

    name = "CrossChannelCorrelation"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``images`` of several channels -> ``dataframe``: CHANNEL_CORRELATION."""
        stacks = [as_stack(stack) for stack in need(data, "images")]
        shape = stacks[0].shape
        still = drift_table(
            np.zeros((shape[0], 2)), np.ones(shape[0]), tuple(shape[1:])
        )
        images = {f"image{number}": stack for number, stack in enumerate(stacks)}
        times = self.calibration(shape).times_min
        table = channel_correlation(images, {}, still, times)
        return {"dataframe": table, "feature": table}
