"""Independent random streams: one aspect of a movie does not shift another."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """Numbers of the streams; a new one goes to the end so that old movies stay."""

    PLACEMENT = 1
    EFFECTORS = 2
    TARGETS = 3
    LIFE = 4
    KILLING = 5
    STAGE = 6
    LOOKS = 7
    DIMMING = 8
    CAMERA = 9
    CLASSES = 10
    DARKNESS = 11


def generator(seed: int, stream: Stream, *keys: int) -> np.random.Generator:
    """Generator of one stream; further ``keys`` such as channel and frame split it."""
    return np.random.default_rng([seed, int(stream), *keys])
