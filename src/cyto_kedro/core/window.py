"""A run of frames: the share of a movie that one job computes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Frames ``start`` to ``stop`` (exclusive) of a movie."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"not a frame window: {self.start} to {self.stop}")

    @property
    def frames(self) -> range:
        """The frame indices."""
        return range(self.start, self.stop)


def windows(n_frames: int, size: int) -> list[Window]:
    """Windows of ``size`` frames that cover a movie; the last may be shorter."""
    if size < 1:
        raise ValueError("a window has at least one frame")
    starts = range(0, n_frames, size)
    return [Window(start, min(start + size, n_frames)) for start in starts]
