"""Contacts of one frame: every pair of cells within reach, measured exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.methods.contacts.rules import ContactLimits
from cyto_kedro.methods.tabulation.objects import FrameObjects, as_labels, find_objects
from cyto_kedro.methods.tabulation.shape import crofton_weights


@dataclass(frozen=True)
class FramePairs:
    """K pairs of one frame, ordered by effector and target label; arrays of (K,)."""

    effector_label: np.ndarray
    target_label: np.ndarray
    distance_um: np.ndarray
    centroid_distance_um: np.ndarray
    boundary_um: np.ndarray
    overlap_px: np.ndarray
    in_contact: np.ndarray


def measure_frame(
    effectors: np.ndarray,
    targets: np.ndarray,
    spacing_um: tuple[float, float],
    limits: ContactLimits,
    *,
    same: bool = False,
) -> FramePairs:
    """Measure all pairs of two masks within reach.

    The distance is the least one of the two masks' pixel centres, 0 where they share
    a pixel. The boundary length is the part of the target's perimeter (Crofton
    estimate, as in the detections table) whose pixels lie within the contact distance
    of the effector, so that ``boundary / perimeter`` is the covered fraction.

    Args:
        effectors: YX labels.
        targets: YX labels, of the same shape.
        spacing_um: (row, column) pixel size (um).
        limits: Contact distance and reach, overlap needed.
        same: Both are the same mask: pairs of different labels, each once, with the
            smaller label as effector.
    """
    from cyto_kedro.methods.contacts import _kernels

    plane_a, plane_b = as_labels(effectors), as_labels(targets)
    a = find_objects(plane_a)
    b = a if same else find_objects(plane_b)
    dy, dx = spacing_um
    pairs = _kernels.near_pairs(a.bbox, b.bbox, dy, dx, limits.reach_um, same)
    place_a, _, start_a = boundary_pixels(plane_a, a, spacing_um)
    place_b, length_b, start_b = boundary_pixels(plane_b, b, spacing_um)
    least, touching = _kernels.measure_pairs(
        pairs, plane_a, a.ids, a.bbox, place_a, start_a,
        place_b, length_b, start_b, dy, dx, limits.contact_um, limits.reach_um,
    )  # fmt: skip
    overlap = np.zeros(len(pairs), np.int64) if same else _overlap_px(a, b, pairs)
    least[overlap > 0] = 0.0
    return _listed(a, b, pairs, np.sqrt(least), touching, overlap, spacing_um, limits)


def boundary_pixels(
    labels: np.ndarray, objects: FrameObjects, spacing_um: tuple[float, float]
) -> tuple[np.ndarray, ...]:
    """(P, 2) boundary pixels by object, the length (um) of each, and where each begins.

    Args:
        labels: YX uint32 labels.
        objects: Their objects.
        spacing_um: (row, column) pixel size (um).
    """
    from cyto_kedro.methods.contacts import _kernels

    # A boundary pixel costs a crossing: this bound saves touching fresh memory.
    most = int(np.minimum(objects.area_px, objects.crossings.sum(axis=1)).sum())
    weights = np.asarray(crofton_weights(spacing_um))
    return _kernels.boundary(
        labels, objects.ids, objects.runs, objects.first_run, most, weights
    )


def _overlap_px(a: FrameObjects, b: FrameObjects, pairs: np.ndarray) -> np.ndarray:
    """(K,) pixels that both masks of each pair cover."""
    from cyto_kedro.methods.contacts import _kernels

    runs_a, index_a = _in_scan_order(a)
    runs_b, index_b = _in_scan_order(b)
    keys, pixels = _kernels.overlaps(runs_a, index_a, runs_b, index_b, len(b))
    overlapping, which = np.unique(keys, return_inverse=True)
    if not len(overlapping):
        return np.zeros(len(pairs), np.int64)
    total = np.bincount(which, weights=pixels).astype(np.int64)
    wanted = pairs[:, 0] * len(b) + pairs[:, 1]
    at = np.minimum(np.searchsorted(overlapping, wanted), len(overlapping) - 1)
    return np.where(overlapping[at] == wanted, total[at], 0)


def _in_scan_order(objects: FrameObjects) -> tuple[np.ndarray, np.ndarray]:
    index = np.repeat(np.arange(len(objects)), np.diff(objects.first_run))
    runs = objects.runs
    order = np.argsort(runs[:, 0].astype(np.int64) << 32 | runs[:, 1], kind="stable")
    return runs[order], index[order]


def _listed(
    a: FrameObjects,
    b: FrameObjects,
    pairs: np.ndarray,
    distance: np.ndarray,
    touching: np.ndarray,
    overlap: np.ndarray,
    spacing_um: tuple[float, float],
    limits: ContactLimits,
) -> FramePairs:
    near = np.flatnonzero(np.isfinite(distance) & (distance <= limits.reach_um))
    # Objects are in label order, so this orders by effector and target label.
    near = near[np.lexsort((pairs[near, 1], pairs[near, 0]))]
    i, j = pairs[near].T
    between = (a.centroids_px()[i] - b.centroids_px()[j]) * np.asarray(spacing_um)
    return FramePairs(
        effector_label=a.ids[i],
        target_label=b.ids[j],
        distance_um=distance[near],
        centroid_distance_um=np.hypot(between[:, 0], between[:, 1]),
        boundary_um=touching[near],
        overlap_px=overlap[near],
        in_contact=(distance[near] <= limits.contact_um)
        & (overlap[near] >= limits.min_overlap_px),
    )
