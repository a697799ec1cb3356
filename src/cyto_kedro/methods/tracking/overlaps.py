"""How many pixels the masks of two frames share, streamed over a movie."""

from __future__ import annotations

from dataclasses import dataclass

import dask.array as da
import numpy as np

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import over_frames
from cyto_kedro.methods.tracking.points import Points

Stack = da.Array | np.ndarray


@dataclass(frozen=True)
class Overlaps:
    """Pairs of points of two frames whose masks share pixels, by source and target.

    Attributes:
        source: Point in the earlier frame.
        target: Point in the later frame.
        shared_px: Pixels that both masks cover.
        source_px: Area of the earlier mask.
        target_px: Area of the later mask.
    """

    source: np.ndarray
    target: np.ndarray
    shared_px: np.ndarray
    source_px: np.ndarray
    target_px: np.ndarray

    def __len__(self) -> int:
        return len(self.source)

    @property
    def iou(self) -> np.ndarray:
        """(P,) intersection over union."""
        union = self.source_px + self.target_px - self.shared_px
        return self.shared_px / np.maximum(union, 1)

    def take(self, index: np.ndarray) -> Overlaps:
        """The pairs at these positions."""
        return Overlaps(
            self.source[index],
            self.target[index],
            self.shared_px[index],
            self.source_px[index],
            self.target_px[index],
        )


def find_overlaps(
    points: Points,
    label: np.ndarray,
    labels: Stack,
    step: int = 1,
    frames: np.ndarray | None = None,
) -> Overlaps:
    """Compare the masks of each frame with those ``step`` frames later.

    Two frames per thread are in memory. Masks that no point names are ignored, and
    points without a mask overlap nothing.

    Args:
        points: All points.
        label: (N,) label of each point in its frame's mask.
        labels: TYX masks that the points were measured from.
        step: Frames from source to target (>= 1).
        frames: Earlier frames to look at; None = all that have points.

    Raises:
        InputError: A point's frame is not in ``labels``.
    """
    if frames is None:
        frames = np.unique(points.frame)
    if points.frame.max(initial=0) >= len(labels):
        raise InputError(
            f"The detections reach frame {points.frame.max()}, but there are only "
            f"{len(labels)} frames of masks",
            where="labels",
            fix="track detections with the masks that they were measured from",
        )
    todo = frames[frames + step < len(labels)].tolist()
    found = [np.empty((0, 5), dtype=np.int64)]
    if todo:
        here, there = labels[:-step], labels[step:]
        numbers = _Numbers(points, label)

        def compare(frame: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
            return _compared(one, other, frame, step, numbers)

        found += list(over_frames(compare, here, there, frames=todo))
    table = np.concatenate(found)
    order = np.lexsort((table[:, 1], table[:, 0]))
    return Overlaps(*table[order].T)


def contingency(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, ...]:
    """Labels of both planes and their common pixels, for every pair that occurs.

    Runs of equal pairs along the rows are counted first: there are about a hundred
    times fewer runs than pixels to sort.
    """
    key = one.ravel().astype(np.uint64) << np.uint64(32)
    key |= other.ravel().astype(np.uint64)
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))[: len(key)]
    length = np.diff(np.append(starts, len(key)))
    pair, place = np.unique(key[starts], return_inverse=True)
    pixels = np.bincount(place, length, minlength=len(pair)).astype(np.int64)
    low = pair & np.uint64(0xFFFFFFFF)
    return (pair >> np.uint64(32)).astype(np.int64), low.astype(np.int64), pixels


class _Numbers:
    """From (frame, label) to the index of a point."""

    def __init__(self, points: Points, label: np.ndarray) -> None:
        self._key = (points.frame << 32) | label
        self._order = np.argsort(self._key)
        self._key = self._key[self._order]

    def __call__(self, frame: int, label: np.ndarray) -> np.ndarray:
        """Point index of each label; -1 where there is none."""
        key = (np.int64(frame) << 32) | label
        at = np.minimum(np.searchsorted(self._key, key), len(self._key) - 1)
        return np.where(self._key[at] == key, self._order[at], -1)


def _compared(
    one: np.ndarray, other: np.ndarray, frame: int, step: int, numbers: _Numbers
) -> np.ndarray:
    """(P, 5) columns of :class:`Overlaps` for two planes."""
    a, b, pixels = contingency(one, other)
    area_a = _total(a, pixels)
    area_b = _total(b, pixels)
    source, target = numbers(frame, a), numbers(frame + step, b)
    both = (a > 0) & (b > 0) & (source >= 0) & (target >= 0)
    columns = (source, target, pixels, area_a, area_b)
    return np.column_stack([column[both] for column in columns])


def _total(label: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(P,) all pixels of each pair's label."""
    _, place = np.unique(label, return_inverse=True)
    return np.bincount(place, pixels).astype(np.int64)[place]
