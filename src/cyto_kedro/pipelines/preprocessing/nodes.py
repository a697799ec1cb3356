"""Nodes of the preprocessing pipeline."""

from __future__ import annotations

import logging

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.frames import map_frames
from cyto_kedro.core.raw import RawChannel, select
from cyto_kedro.methods.preprocessing.drift import REGISTRATIONS
from cyto_kedro.methods.preprocessing.intensity import merge
from cyto_kedro.methods.preprocessing.registered import RegisteredFrames
from cyto_kedro.methods.preprocessing.residual_motion import (
    ResidualMotionParams,
    residual_motion,
)
from cyto_kedro.methods.preprocessing.steps import measure_ranges, ranges_of
from cyto_kedro.methods.preprocessing.tables import (
    frame_transforms,
    transform_tables,
)
from cyto_kedro.methods.preprocessing.verdicts import misplaced
from cyto_kedro.pipelines.preprocessing.params import (
    ChannelParams,
    MergeParams,
    RegistrationParams,
)

logger = logging.getLogger(__name__)


def estimate_drift(
    calibration: Calibration, params: RegistrationParams, *raws: RawChannel
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How every frame has to be moved, measured on one channel.

    Args:
        calibration: Geometry and image range of the movie.
        params: Method and driving channel.
        raws: All raw channels, the default driver first.

    Returns:
        Tables DRIFT and DEFORMATION; the second is empty unless the method deforms. A
        frame that could not be registered (blank, saturated, another scene) takes the
        transform between its neighbours' and has no quality.
    """
    driver = _driver(raws, params.channel)
    images = select(driver, calibration)
    method = params.method
    found = REGISTRATIONS[method.name].estimate(images, method)
    _report_untrusted(found.trusted, driver)
    return transform_tables(found.filled(), found.quality, images.shape[1:])


def measure_residual_motion(
    calibration: Calibration,
    drift: pd.DataFrame,
    deformation: pd.DataFrame,
    registration: RegistrationParams,
    params: ResidualMotionParams,
    *raws: RawChannel,
) -> pd.DataFrame:
    """Local motion that the drift leaves in sampled frames of the driving channel.

    Args:
        calibration: Geometry and image range of the movie.
        drift: Table DRIFT.
        deformation: Table DEFORMATION.
        registration: Names the channel that the drift was measured on.
        params: Sampling, blocks and limits.
        *raws: All raw channels, the default driver first.

    Returns:
        Table RESIDUAL_MOTION; its verdicts tell whether the registration is
        enough, and which transform would be.
    """
    driver = _driver(raws, registration.channel)
    images = select(driver, calibration)
    transforms = frame_transforms(drift, deformation, len(images))
    found = residual_motion(images, transforms, params)
    _report_residual(found, driver)
    return found


def measure_intensity_range(
    raw: RawChannel,
    calibration: Calibration,
    drift: pd.DataFrame,
    deformation: pd.DataFrame,
    params: ChannelParams,
) -> pd.DataFrame:
    """Movie-wide percentiles that the channel's steps need, measured once.

    Returns:
        Table INTENSITY_RANGE, empty if no step needs it.
    """
    frames = _registered(raw, calibration, drift, deformation, params)
    ranges = measure_ranges(frames.stack, params.steps, frames.valid_part)
    _report_flat(ranges, raw)
    return ranges


def preprocess(
    raw: RawChannel,
    calibration: Calibration,
    drift: pd.DataFrame,
    deformation: pd.DataFrame,
    intensity_range: pd.DataFrame,
    params: ChannelParams,
) -> da.Array:
    """One channel's image: cropped, registered, through the steps; lazy.

    Pixels that no raw pixel was moved to are 0; the drift table says where they are.
    """
    frames = _registered(raw, calibration, drift, deformation, params)
    return frames.through(params.steps, ranges_of(intensity_range))


def merge_channels(
    params: MergeParams, *images: da.Array, channels: tuple[str, ...]
) -> da.Array:
    """Weighted mean of a role's channels, lazy float32.

    Args:
        params: Weights by channel.
        images: One TYX image per channel.
        channels: Their names.

    Raises:
        ConfigError: A weight is given for another channel, or all weights are zero.
    """
    weights = [params.weights.get(channel, 1.0) for channel in channels]
    unknown = sorted(set(params.weights) - set(channels))
    if unknown or not any(weights):
        raise ConfigError(
            f"No such channel of this role: {', '.join(unknown)}"
            if unknown
            else "All channels of this role weigh nothing",
            where="parameters: preprocessing.merge",
            fix=f"give positive weights to some of: {', '.join(channels)}",
        )
    return map_frames(lambda *planes: merge(planes, weights), *images, dtype=np.float32)


def _driver(raws: tuple[RawChannel, ...], wanted: str | None) -> RawChannel:
    if wanted is None:
        return raws[0]
    for raw in raws:
        if raw.channel == wanted:
            return raw
    known = ", ".join(raw.channel for raw in raws)
    raise ConfigError(
        f"Drift cannot be measured on channel '{wanted}': there is no such channel",
        where="parameters: preprocessing.registration.channel",
        fix=f"choose one of: {known}",
    )


def _registered(
    raw: RawChannel,
    calibration: Calibration,
    drift: pd.DataFrame,
    deformation: pd.DataFrame,
    params: ChannelParams,
) -> RegisteredFrames:
    return RegisteredFrames.of(
        select(raw, calibration),
        drift,
        deformation,
        params.interpolation,
        floating=params.output_dtype == "float32",
    )


def _report_untrusted(trusted: np.ndarray, driver: RawChannel) -> None:
    lost = np.flatnonzero(~trusted).tolist()
    if lost:
        logger.warning(
            "%d of %d frames of channel '%s' could not be registered (blank, "
            "saturated or unlike the others) and take their neighbours' transform: %s",
            len(lost),
            len(trusted),
            driver.channel,
            ", ".join(map(str, lost[:20])) + (", ..." if len(lost) > 20 else ""),
        )


def _report_residual(found: pd.DataFrame, driver: RawChannel) -> None:
    for frames, advice in misplaced(found):
        logger.warning(
            "%d of %d sampled frames of channel '%s' do not lie on their reference "
            "(%s). %s",
            len(frames),
            len(found),
            driver.channel,
            ", ".join(map(str, frames[:20])),
            advice,
        )


def _report_flat(ranges: pd.DataFrame, raw: RawChannel) -> None:
    for row in ranges.to_dict(orient="records"):
        if not row["low"] < row["high"]:
            logger.warning(
                "Channel '%s': the percentiles %g and %g are the same grey value, so "
                "that normalisation (step %d) leaves a black and white image",
                raw.channel,
                row["lp"],
                row["up"],
                row["step"],
            )
