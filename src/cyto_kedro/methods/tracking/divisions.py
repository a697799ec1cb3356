"""Is a cell that appears beside another one its sister?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.methods.tracking.candidates import nearby
from cyto_kedro.methods.tracking.lineage import number_chains
from cyto_kedro.methods.tracking.options import DivisionRules
from cyto_kedro.methods.tracking.points import Points

NOBODY = -1


@dataclass(frozen=True)
class DivisionJudge:
    """Applies the :class:`DivisionRules` to one movie.

    Attributes:
        points: All points.
        area_um2: (N,) area of each; NaN where unknown.
        rules: What is asked for.
        sigma_um: Standard deviation of the prediction error per axis.
        edge_um: (N,) distance to the edge of the field, or None.
        edge_reach_um: A cell last seen this near the edge may have left the field.
    """

    points: Points
    area_um2: np.ndarray
    rules: DivisionRules
    sigma_um: float
    edge_um: np.ndarray | None
    edge_reach_um: float

    def sister(
        self, mother: np.ndarray, daughter: np.ndarray, following: np.ndarray
    ) -> np.ndarray:
        """(E,) point of the mother's own continuation in the daughter's frame.

        If the continuation is not seen there, its last point before; ``NOBODY`` if
        the mother has none.
        """
        frame = self.points.frame
        now = following[mother]
        for _ in range(int((frame[daughter] - frame[mother]).max(initial=1)) - 1):
            later = following[np.maximum(now, 0)]
            go = (now >= 0) & (later >= 0) & (frame[later] <= frame[daughter])
            now = np.where(go, later, now)
        return now

    def verdict(
        self,
        mother: np.ndarray,
        daughter: np.ndarray,
        expected_um: np.ndarray,
        following: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether something speaks against each division, and whether places prove it.

        A mother vanishes from where she was, and her daughters lie on either side: the
        place where she is expected is nearer to the middle between the two than to
        either. A cell beside which another one turns up stays in its own place. The
        difference of the two distances is compared with the prediction error.

        Args:
            mother: (E,) point before the division.
            daughter: (E,) point without predecessor.
            expected_um: (E, 2) where the mother would be in the daughter's frame.
            following: (N,) next point of each point's track, or ``NOBODY``.

        Returns:
            (E,) bool ``plausible`` and (E,) bool ``proven``, which implies it.
        """
        sister = self.sister(mother, daughter, following)
        place, known = self.points.position_um, sister >= 0
        middle = (place[sister] + place[daughter]) / 2.0
        off_middle = np.hypot(*(expected_um - middle).T)
        off_sister = np.hypot(*(expected_um - place[sister]).T)
        nearer = off_sister - off_middle
        slack = self.rules.midpoint_tolerance * self.sigma_um
        one, other = self.area_um2[daughter], self.area_um2[sister]
        ratio = np.minimum(one, other) / np.maximum(one, other)
        # Written so that an unknown area (NaN) excludes nothing. The mother's own area
        # is not compared: it rounds up, to anything between half and twice of them.
        fine = ~(ratio < self.rules.min_sister_area_ratio)
        return ~known | (fine & (nearer >= -slack)), known & fine & (nearer > slack)

    def measured(self, point: np.ndarray) -> np.ndarray:
        """Bool: the area of the cell is known, and so its mask is not cut."""
        return np.isfinite(self.area_um2[point])

    def lasting(
        self, source: np.ndarray, target: np.ndarray, reach_um: float
    ) -> np.ndarray:
        """(N,) bool: from here on the cell is followed as a daughter must be.

        Args:
            source: (L,) earlier point of every link that continues a track.
            target: (L,) later point.
            reach_um: Largest distance of pieces from the whole that they become.
        """
        n, frame, rules = len(self.points), self.points.frame, self.rules
        chain = number_chains(n, source, target)
        last = np.zeros(chain.max(initial=0) + 1, dtype=np.int64)
        last[chain] = np.arange(n)  # points are sorted by frame
        end = last[chain]
        length = frame[end] - frame + 1
        goes_out = frame[end] == frame.max(initial=0)
        if self.edge_um is not None:
            goes_out |= self.edge_um[end] <= self.edge_reach_um
        rejoins = self._rejoins(source, target, reach_um)[end]
        apart = ~rejoins | (length >= rules.min_apart_frames)
        return apart & (goes_out | (length >= rules.min_daughter_frames))

    def _rejoins(
        self, source: np.ndarray, target: np.ndarray, reach_um: float
    ) -> np.ndarray:
        """(N,) bool: the cell vanishes where another one becomes their common mask.

        This is a proven division if time runs backward: the whole has two parts
        before it, the cell and what the whole's track was.
        """
        n = len(self.points)
        every = np.arange(n)
        ends = np.setdiff1d(every, source, assume_unique=True)
        before = np.full(n, NOBODY)
        before[target] = source
        place = self.points.position_um
        near = nearby(self.points, place, ends, every, 1, reach_um, _squared)
        _, proven = self.verdict(near.target, near.source, place[near.target], before)
        rejoins = np.zeros(n, dtype=bool)
        rejoins[near.source[proven]] = True
        return rejoins


def _squared(
    source: np.ndarray, target: np.ndarray, distance_um: np.ndarray
) -> np.ndarray:
    return distance_um**2
