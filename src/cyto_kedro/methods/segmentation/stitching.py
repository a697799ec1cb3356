"""Masks of overlapping tiles become the masks of one frame.

A cell belongs to the tile whose core holds its centre: no other sees it as far from a
rim. In order of trust:

1. Cells that their own tile sees whole.
2. Cells seen whole by a tile that does not own them, if another saw something there
   too: each placed the centre in the other's core, or its rim cuts the cell.
3. Cells that a rim cuts in every tile that sees them: pieces that agree in the overlap
   of their tiles are united, if one reaches the core of its tile.

A cell is a duplicate, and dropped, if it shares more than half of its own or of the
other's area with one taken before; a smaller overlap goes to the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import ndimage as ndi
from scipy import sparse
from scipy.sparse.csgraph import connected_components

Window = tuple[slice, slice]
_SAME = 0.5


@dataclass(frozen=True)
class Tile:
    """A part of a frame.

    Attributes:
        core: Rows and columns that no other tile owns.
        window: Rows and columns that were segmented: the core and a margin.
        frame: (Y, X) of the frame.
    """

    core: Window
    window: Window
    frame: tuple[int, int]

    def owns(self, row: float, column: float) -> bool:
        """Whether a place of the frame lies in the core."""
        rows, columns = self.core
        return rows.start <= row < rows.stop and columns.start <= column < columns.stop

    def cuts(self, box: Window) -> bool:
        """Whether a box reaches a rim of the window inside the frame."""
        return any(
            (part.start == seen.start and seen.start > 0)
            or (part.stop == seen.stop and seen.stop < length)
            for part, seen, length in zip(box, self.window, self.frame, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Piece:
    """A cell as one tile saw it.

    Attributes:
        box: Bounding box in the frame.
        mask: Its pixels inside the box.
        tile: The tile that saw it.
        centre: Mean row and column in the frame (px).
    """

    box: Window
    mask: np.ndarray
    tile: Tile
    centre: tuple[float, float]

    @property
    def area(self) -> int:
        """Pixels."""
        return int(self.mask.sum())

    @property
    def owned(self) -> bool:
        """Whether its centre lies in the core of its tile."""
        return self.tile.owns(*self.centre)

    @property
    def in_core(self) -> bool:
        """Whether a pixel of it lies in the core of its tile."""
        return bool(_inside(self, self.tile.core).any())

    @property
    def cut(self) -> bool:
        """Whether the rim of its tile may have cut it."""
        return self.tile.cuts(self.box)


def stitch(
    found: Iterable[tuple[Tile, np.ndarray]], shape: tuple[int, ...]
) -> np.ndarray:
    """Unite the masks of tiles.

    Args:
        found: Tiles in a fixed order, each with YX masks of its window.
        shape: (Y, X) of the frame.

    Returns:
        YX uint32 masks, ids 1..n in the order of their first pixel, row by row.
    """
    canvas = _Canvas(shape)
    refused: list[Piece] = []
    unowned: list[Piece] = []
    cut: list[Piece] = []
    for tile, labels in found:
        for piece in pieces_of(tile, labels):
            if piece.cut:
                cut.append(piece)
            elif not piece.owned:
                unowned.append(piece)
            elif not canvas.add(piece):
                refused.append(piece)
    left = [piece for piece in unowned if not canvas.has(piece)]
    for piece in left:
        if any(_same(piece, other) for other in (*left, *refused, *cut)):
            canvas.add(piece)
    rest = [piece for piece in cut if not canvas.has(piece)]
    for group in _groups(rest):
        # What stays in the margins of all its tiles was made up by their rims.
        if any(piece.in_core for piece in group):
            canvas.add(_united(group))
    return canvas.numbered()


def pieces_of(tile: Tile, labels: np.ndarray) -> Iterator[Piece]:
    """The cells of one tile in ascending order of their ids."""
    corner = [part.start for part in tile.window]
    for number, box in enumerate(ndi.find_objects(labels.astype(np.int32)), start=1):
        if box is None:
            continue
        mask = labels[box] == number
        place = _moved(box[0], corner[0]), _moved(box[1], corner[1])
        rows, columns = np.nonzero(mask)
        centre = rows.mean() + place[0].start, columns.mean() + place[1].start
        yield Piece(place, mask, tile, (float(centre[0]), float(centre[1])))


class _Canvas:
    """The frame as far as it is known."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.labels = np.zeros(shape, np.uint32)
        self.areas = [0]
        self.first = [(-1, -1)]

    def has(self, piece: Piece) -> bool:
        """Whether a cell, or most of it, or most of one below it, is there already."""
        there = self.labels[piece.box][piece.mask]
        ids, shared = np.unique(there[there > 0], return_counts=True)
        return any(
            count > _SAME * min(piece.area, self.areas[number])
            for number, count in zip(ids.tolist(), shared.tolist(), strict=True)
        )

    def add(self, piece: Piece) -> bool:
        """Paint the free pixels of a cell; False if it is a duplicate."""
        if self.has(piece):
            return False
        view = self.labels[piece.box]
        free = piece.mask & (view == 0)
        view[free] = len(self.areas)
        self.areas.append(int(free.sum()))
        row = int(np.argmax(free.any(axis=1)))
        column = int(np.argmax(free[row]))
        self.first.append((piece.box[0].start + row, piece.box[1].start + column))
        return True

    def numbered(self) -> np.ndarray:
        """The masks, renumbered by first pixel."""
        order = sorted(range(len(self.first)), key=self.first.__getitem__)
        numbers = np.zeros(len(order), np.uint32)
        numbers[order] = np.arange(len(order), dtype=np.uint32)
        return numbers[self.labels]


def _groups(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Pieces of different tiles that show the same cell, in order of the first."""
    pairs = [
        (i, j)
        for (i, one), (j, other) in combinations(enumerate(pieces), 2)
        if one.tile is not other.tile and _agree(one, other)
    ]
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    size = len(pieces)
    graph = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    count, group = connected_components(graph, directed=False)
    members: list[list[Piece]] = [[] for _ in range(count)]
    for piece, number in zip(pieces, group, strict=True):
        members[number].append(piece)
    yield from members


def _same(one: Piece, other: Piece) -> bool:
    """Whether two tiles show the same cell, or one shows a part of the other's."""
    if one.tile is other.tile:
        return False
    shared, _ = _overlap(one, other, one.box)
    return shared > _SAME * min(one.area, other.area)


def _agree(one: Piece, other: Piece) -> bool:
    """Intersection over union, where both tiles look."""
    shared, union = _overlap(one, other, _common(one.tile.window, other.tile.window))
    return union > 0 and shared >= _SAME * union


def _overlap(one: Piece, other: Piece, zone: Window) -> tuple[int, int]:
    """Pixels of both and of either inside a zone; (0, 0) where the boxes are apart."""
    if _empty(_common(one.box, other.box)) or _empty(zone):
        return 0, 0
    first, second = _inside(one, zone), _inside(other, zone)
    return int((first & second).sum()), int((first | second).sum())


def _inside(piece: Piece, zone: Window) -> np.ndarray:
    """The mask on the pixels of a zone."""
    height, width = (part.stop - part.start for part in zone)
    mask = np.zeros((height, width), bool)
    seen = _common(piece.box, zone)
    if not _empty(seen):
        target = tuple(_moved(s, -z.start) for s, z in zip(seen, zone, strict=True))
        source = tuple(
            _moved(s, -b.start) for s, b in zip(seen, piece.box, strict=True)
        )
        mask[target] = piece.mask[source]
    return mask


def _united(group: list[Piece]) -> Piece:
    boxes = [piece.box for piece in group]
    box = _around(boxes, 0), _around(boxes, 1)
    mask = np.zeros([part.stop - part.start for part in box], bool)
    for piece in group:
        mask |= _inside(piece, box)
    return Piece(box, mask, group[0].tile, group[0].centre)


def _around(boxes: list[Window], axis: int) -> slice:
    return slice(min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes))


def _common(one: Window, other: Window) -> Window:
    first, second = (
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(one, other, strict=True)
    )
    return first, second


def _empty(window: Window) -> bool:
    return any(part.stop <= part.start for part in window)


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
