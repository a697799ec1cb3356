"""Links between points, as every tracker returns them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Links:
    """Links of a movie, merges last.

    Attributes:
        source: (E,) index of the earlier point.
        target: (E,) index of the later point.
        confidence: (E,) in [0, 1].
    """

    source: np.ndarray
    target: np.ndarray
    confidence: np.ndarray

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def none(cls) -> Links:
        """No link at all."""
        index = np.empty(0, dtype=np.int64)
        return cls(index, index, np.empty(0))

    def plus(self, other: Links) -> Links:
        """These links, then the others."""
        return Links(
            np.concatenate([self.source, other.source]),
            np.concatenate([self.target, other.target]),
            np.concatenate([self.confidence, other.confidence]),
        )

    def take(self, index: np.ndarray) -> Links:
        """The links at these positions."""
        return Links(self.source[index], self.target[index], self.confidence[index])
