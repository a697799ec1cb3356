"""Tracking by the overlap of masks, for dense cells that move less than their size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.methods.tracking.assignment import best_links
from cyto_kedro.methods.tracking.confidence import link_margins
from cyto_kedro.methods.tracking.lineage import tracks_table
from cyto_kedro.methods.tracking.links import Links
from cyto_kedro.methods.tracking.options import OverlapOptions
from cyto_kedro.methods.tracking.overlaps import Overlaps, Stack, find_overlaps
from cyto_kedro.methods.tracking.points import Points, read_points

# Keeps an overlap that is exactly the limit a link.
_TINY = 1e-9


def track_overlap(
    detections: pd.DataFrame,
    calibration: Calibration,
    options: OverlapOptions,
    labels: Stack | None = None,
) -> pd.DataFrame:
    """Link the masks of largest total intersection over union (IoU).

    Consecutive frames first, then across missed frames, shorter gaps first. A mask
    without a predecessor that lies mostly on an already continued one is its daughter;
    one that vanishes into another merges with it.

    Args:
        detections: Table DETECTIONS.
        calibration: Not needed; every tracker takes it.
        options: Least overlaps.
        labels: TYX masks of the detections, registered.

    Returns:
        Table TRACKS; ``link_confidence`` is the IoU (the covered part for merges).

    Raises:
        InputError: There are no masks, a position is not finite, or a (frame, label)
            repeats.
    """
    if labels is None:
        raise InputError(
            "Tracking by overlap needs the masks",
            where="method overlap",
            fix="give the labels that the detections were measured from",
        )
    points = read_points(detections)
    label = detections["label"].to_numpy(dtype=np.int64)[points.row]
    near = find_overlaps(points, label, labels)
    links = _joined(near, near.iou, options.min_iou)
    links = _with_gaps(links, points, label, labels, options)
    links = _with_divisions(links, near, len(points), options)
    links = _with_merges(links, near, len(points), options)
    margin = link_margins(points, points.position_um, links.source, links.target)
    return tracks_table(detections, points, links, margin)


def _joined(near: Overlaps, worth: np.ndarray, least: float) -> Links:
    chosen = best_links(near.source, near.target, worth - least + _TINY)
    return Links(near.source[chosen], near.target[chosen], worth[chosen])


def _with_gaps(
    links: Links,
    points: Points,
    label: np.ndarray,
    labels: Stack,
    options: OverlapOptions,
) -> Links:
    every = np.arange(len(points))
    for step in range(2, options.max_gap_frames + 2):
        ends = np.setdiff1d(every, links.source)
        starts = np.setdiff1d(every, links.target)
        # Only frames that may hold both sides of a gap are read again.
        frames = np.intersect1d(points.frame[ends], points.frame[starts] - step)
        near = find_overlaps(points, label, labels, step, frames)
        open_ = np.isin(near.source, ends) & np.isin(near.target, starts)
        near = near.take(np.flatnonzero(open_))
        links = links.plus(_joined(near, near.iou, options.min_iou))
    return links


def _with_divisions(
    links: Links, near: Overlaps, n: int, options: OverlapOptions
) -> Links:
    least = options.splitting_min_overlap
    if least is None:
        return links
    continued, reached = _has(links.source, n), _has(links.target, n)
    born = near.take(np.flatnonzero(continued[near.source] & ~reached[near.target]))
    covered = born.shared_px / np.maximum(born.target_px, 1)
    return links.plus(_joined(born, covered, least))


def _with_merges(
    links: Links, near: Overlaps, n: int, options: OverlapOptions
) -> Links:
    least = options.merging_min_overlap
    if least is None:
        return links
    continued, reached = _has(links.source, n), _has(links.target, n)
    lost = near.take(np.flatnonzero(~continued[near.source] & reached[near.target]))
    covered = lost.shared_px / np.maximum(lost.source_px, 1)
    return links.plus(_joined(lost, covered, least))


def _has(index: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(index, minlength=n) > 0
