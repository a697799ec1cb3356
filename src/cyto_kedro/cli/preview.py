"""`kedro cyto preview`: outlines on a few frames at the current settings."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.project import open_context
from cyto_kedro.core.atomic import staged
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.frames import compute_frame
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.parallel import workers
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.methods.preprocessing.tables import transform_tables
from cyto_kedro.methods.preprocessing.warps import Transform
from cyto_kedro.methods.segmentation.overlay import outlines
from cyto_kedro.pipelines.ingest.nodes import calibrate
from cyto_kedro.pipelines.preprocessing.nodes import (
    measure_intensity_range,
    merge_channels,
    preprocess,
)
from cyto_kedro.pipelines.segmentation.nodes import import_masks, segment

# Small movies are enlarged to about this width per role.
_PANEL_PX = 720
# Shows on grey cells, whatever the role.
_BRIGHT = "#ffb000"


def write_preview(
    metadata: ProjectMetadata,
    movie: str,
    frames: list[int],
    env: str | None,
    folder: Path | None,
) -> list[Path]:
    """Segment some frames of a movie and write one PNG per frame.

    Stage drift is left in (it does not change outlines), and percentiles are those of
    the frames shown, so that nothing needs the whole movie.

    Raises:
        ConfigError: There is no such movie or frame, or the parameters are wrong.
        InputError: A raw file is missing or broken.
    """
    context, loader = open_context(metadata, env)
    chosen = loader.experiment[movie]
    loader.scope = replace(loader.scope, movie=chosen.id, dataset=chosen.dataset)
    catalog, params = context.catalog, context.params
    layout = loader.layout
    raws = {name: catalog.load(f"{name}.raw") for name in layout.channels}
    whole = calibrate(params["ingest"], tuple(raws.values()))
    shown = _only(whole, frames)
    ready = {
        role: catalog.load(f"{role}.ready_masks")
        for role, spec in layout.roles.items()
        if spec.masks is not None
    }
    labels, images = _segment_roles(layout, raws, ready, shown, params)
    target = folder or layout.output_root / "preview" / movie

    def write(number: int) -> Path:
        frame = whole.source_frames.index(shown.source_frames[number])
        return _write(target, number, frame, images, labels)

    with ThreadPoolExecutor(workers()) as pool:
        return list(pool.map(write, range(shown.n_frames)))


def _only(whole: Calibration, frames: list[int]) -> Calibration:
    """The calibration of some frames of a movie."""
    last = whole.n_frames - 1
    wanted = sorted(set(frames or [0, last // 2, last]))
    outside = [frame for frame in wanted if not 0 <= frame <= last]
    if outside:
        raise ConfigError(
            f"There is no frame {', '.join(map(str, outside))}",
            where=f"--frames of movie {whole.movie}",
            fix=f"frames are 0 to {last}",
        )
    values = whole.model_dump() | {
        "n_frames": len(wanted),
        "frame_times_min": tuple(whole.frame_times_min[i] for i in wanted),
        "source_frames": tuple(whole.source_frames[i] for i in wanted),
    }
    return Calibration.model_validate(values)


def _segment_roles(
    layout: Layout,
    raws: dict[str, RawChannel],
    ready: dict[str, RawChannel],
    shown: Calibration,
    params: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    still = transform_tables(
        [Transform()] * shown.n_frames,
        np.full(shown.n_frames, np.nan),
        (shown.height_px, shown.width_px),
    )
    corrected = {
        name: _preprocessed(
            raw, shown, still, params["preprocessing"]["channels"][name]
        )
        for name, raw in raws.items()
    }
    labels, images = {}, {}
    for role, spec in layout.roles.items():
        images[role] = corrected[spec.channels[0]]
        if len(spec.channels) > 1:
            images[role] = merge_channels(
                params["preprocessing"]["merge"][role],
                *(corrected[name] for name in spec.channels),
                channels=spec.channels,
            )
        if spec.masks is not None:
            labels[role] = import_masks(ready[role], shown, *still)
        else:
            labels[role] = segment(images[role], shown, params["segmentation"][role])
    return labels, images


def _preprocessed(
    raw: RawChannel,
    shown: Calibration,
    still: tuple[pd.DataFrame, pd.DataFrame],
    options: Any,
) -> Any:
    ranges = measure_intensity_range(raw, shown, *still, options)
    return preprocess(raw, shown, *still, ranges, options)


def _write(
    folder: Path,
    number: int,
    frame: int,
    images: dict[str, Any],
    labels: dict[str, Any],
) -> Path:
    from PIL import Image

    masks = {role: compute_frame(stack, number) for role, stack in labels.items()}
    planes = {role: compute_frame(images[role], number) for role in labels}
    zoom = max(1, _PANEL_PX // max(plane.shape[1] for plane in planes.values()))
    panels = [
        outlines(planes[role], {role: masks[role]}, colours={role: _BRIGHT}, zoom=zoom)
        for role in labels
    ]
    path = folder / f"frame_{frame:05d}.png"
    picture = io.BytesIO()
    Image.fromarray(np.concatenate(panels, axis=1)).save(picture, format="png")
    with staged(path) as stage:
        stage.write_bytes(picture.getvalue())
    return path
