"""Nodes of the segmentation pipeline."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.frames import map_frames
from cyto_kedro.core.labels import label_stack
from cyto_kedro.core.raw import RawChannel, select
from cyto_kedro.methods.preprocessing.registered import RegisteredFrames
from cyto_kedro.methods.segmentation import build_segmenter, clean_labels
from cyto_kedro.methods.segmentation.margins import within_data
from cyto_kedro.pipelines.segmentation.params import SegmentationParams


def segment(
    image: da.Array, calibration: Calibration, options: SegmentationParams
) -> da.Array:
    """The masks of one role.

    Args:
        image: TYX image of the role.
        calibration: Pixel size.
        options: Method, tiles and post-filter.

    Returns:
        Lazy TYX uint32 masks, one chunk per frame; ids 1..n within each frame.
    """
    method, spacing_um = options.method, calibration.spacing_um
    find = build_segmenter(method.name, method, spacing_um, options.tiles)

    def masks(frame: np.ndarray) -> np.ndarray:
        return clean_labels(
            find(frame),
            calibration.pixel_area_um2,
            min_area_um2=options.min_area_um2,
            max_area_um2=options.max_area_um2,
            exclude_border=options.exclude_border,
            holes=options.fill_holes,
        )

    return map_frames(within_data(masks), image, dtype=np.uint32)


def import_masks(
    masks: RawChannel,
    calibration: Calibration,
    drift: pd.DataFrame,
    deformation: pd.DataFrame,
) -> da.Array:
    """Ready masks in place of segmentation, their ids unchanged.

    Args:
        masks: Integer masks of one role, of the raw movie's size.
        calibration: Image range of the movie.
        drift: Table DRIFT; the masks move with the images, pixels by whole pixels.
        deformation: Table DEFORMATION.

    Returns:
        Lazy TYX uint32 masks.

    Raises:
        InputError: dtype, shape or ids are not those of masks of this movie.
    """
    where = f"ready masks of movie {calibration.movie}: {masks.source}"
    labels = label_stack(select(masks, calibration), where)
    return RegisteredFrames.of(labels, drift, deformation, "nearest").through([], {})
