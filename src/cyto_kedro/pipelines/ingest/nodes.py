"""Nodes of the ingest pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.raw import RawChannel, select
from cyto_kedro.core.schemas import FRAME_STATS
from cyto_kedro.methods.ingest.consistency import (
    common_shape,
    frame_times,
    pixel_size,
)
from cyto_kedro.methods.ingest.frame_stats import frame_figures
from cyto_kedro.pipelines.ingest.params import IngestParams


def check_channels(
    params: IngestParams, *raws: RawChannel
) -> tuple[Calibration, pd.DataFrame]:
    """Check the channels of a movie, fix its calibration, and look at every frame once.

    Args:
        params: Image range, and pixel size and interval where the files do not say.
        raws: All channels of the movie.

    Returns:
        Calibration of the analysed range, and the table FRAME_STATS.

    Raises:
        InputError: Channels differ, metadata contradict each other, a pixel is NaN or
            infinite, a frame cannot be read, or a channel is blank.
        ConfigError: The image range goes beyond the image, or the pixel size or frame
            interval is not known.
    """
    _check_allowed(params, raws)
    calibration = calibrate(params, raws)
    stats = _look_at_frames(raws, calibration)
    _refuse_blank(stats, raws, params.allow_blank)
    return calibration, stats


def _check_allowed(params: IngestParams, raws: Sequence[RawChannel]) -> None:
    known = [raw.channel for raw in raws]
    unknown = sorted(set(params.allow_blank) - set(known))
    if unknown:
        raise ConfigError(
            f"allow_blank names no channel: {', '.join(unknown)}",
            where="parameters_ingest.yml",
            fix=f"channels: {', '.join(known)}",
        )


def calibrate(params: IngestParams, raws: Sequence[RawChannel]) -> Calibration:
    """The calibration of a movie, from metadata and parameters alone.

    Raises:
        InputError: Channels differ in shape or contradict each other or the parameters.
        ConfigError: The image range goes beyond the image, or a unit is not known.
    """
    shape = common_shape(raws)
    t, y, x = (
        params.image_range.resolve(axis, size)
        for axis, size in zip("tyx", shape, strict=True)
    )
    size_y, size_x = pixel_size(raws, params.pixel_size_um)
    frames = range(*t)
    times: tuple[float, ...] = (0.0,) * shape[0]
    if len(frames) > 1:
        times = frame_times(raws, params.frame_interval_min)
    return Calibration(
        movie=raws[0].movie,
        channels=tuple(raw.channel for raw in raws),
        n_frames=len(frames),
        height_px=len(range(*y)),
        width_px=len(range(*x)),
        # A step keeps every n-th pixel: the ones that remain lie n pixels apart.
        pixel_size_y_um=size_y * y[2],
        pixel_size_x_um=size_x * x[2],
        frame_times_min=tuple(times[i] - times[frames[0]] for i in frames),
        source_frames=tuple(frames),
        source_shape=shape,
        y_range=y,
        x_range=x,
    )


def _look_at_frames(
    raws: Sequence[RawChannel], calibration: Calibration
) -> pd.DataFrame:
    stacks = [select(raw, calibration) for raw in raws]

    def rows(frame: int, *planes: np.ndarray) -> list[dict[str, Any]]:
        facts = {"frame": frame, "time_min": calibration.frame_times_min[frame]}
        return [
            {"channel": raw.channel, **facts, **_figures(plane, raw, source_frame)}
            for raw, plane in zip(raws, planes, strict=True)
            for source_frame in [calibration.source_frames[frame]]
        ]

    table = [row for found in over_frames(rows, *stacks) for row in found]
    by_channel = pd.DataFrame(table).sort_values(
        ["channel", "frame"], key=_catalog_order(raws), kind="stable"
    )
    return FRAME_STATS.conform(by_channel.reset_index(drop=True))


def _figures(plane: np.ndarray, raw: RawChannel, frame: int) -> dict[str, float]:
    try:
        return frame_figures(plane)
    except InputError as exc:
        raise InputError(
            exc.what,
            where=f"channel {raw.channel}, frame {frame} of {raw.source}",
            fix=exc.fix,
        ) from exc


def _catalog_order(raws: Sequence[RawChannel]) -> Any:
    rank = {raw.channel: number for number, raw in enumerate(raws)}
    return lambda column: column.map(rank) if column.name == "channel" else column


def _refuse_blank(
    stats: pd.DataFrame, raws: Sequence[RawChannel], allowed: Sequence[str]
) -> None:
    """A dark control has noise; one value throughout means nothing was recorded."""
    for raw in raws:
        rows = stats[stats["channel"] == raw.channel]
        low, high = rows["minimum"].min(), rows["maximum"].max()
        if low == high and raw.channel not in allowed:
            raise InputError(
                f"The channel {raw.channel} is blank: every pixel of every frame is "
                f"{low:g}",
                where=f"movie {raw.movie}, {raw.source}",
                fix="check the export; if the channel is meant to be blank, add it to "
                "ingest.allow_blank",
            )
