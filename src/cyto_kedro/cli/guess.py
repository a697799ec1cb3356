"""Guess what a channel shows: from its name, else from what it looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

#: What a channel can be; ``ignore`` leaves it out.
KINDS = ("effector", "target", "other", "death", "live", "ignore")

# Short names must stand alone: "pi" is a dye, "pixel" is not.
_PATTERNS = {
    "death": r"\bpi\b|propidium|annexin|sytox|casp|death|dead|draq7|7.?aad|cellevent",
    "ignore": r"bright.?field|\bbf\b|phase|\bdic\b|trans|pmt|\btl\b|\btd\b",
    "effector": r"cd8|cd4|cd3|t.?cell|\bcart?\b|\bnk\b|lymph|effector|\bctl\b|jurkat",
    "target": r"tumou?r|cancer|target|raji|nalm|hela|a549|organoid",
}


@dataclass(frozen=True)
class Guess:
    """One channel: what it shows, why so, and how large its objects are (px)."""

    kind: str
    why: str
    diameter_px: float


def from_name(name: str) -> str | None:
    """Kind by the words in a channel's name, or None."""
    text = re.sub(r"[_\-.]+", " ", name.lower())
    for kind, pattern in _PATTERNS.items():
        if re.search(pattern, text):
            return kind
    return None


def guess(planes: dict[str, np.ndarray], told: dict[str, str]) -> dict[str, Guess]:
    """Guess the kind of each channel.

    Args:
        planes: Channel name to a YX plane of the middle of the movie.
        told: Channel name to the kind that the user gave.
    """
    sizes = {name: blob_diameter(plane) for name, plane in planes.items()}
    kinds = {name: (told.get(name), "as told") for name in planes}
    for name in planes:
        if kinds[name][0] is None:
            kinds[name] = (from_name(name), "by its name")
    open_ones = sorted(
        (n for n in planes if kinds[n][0] is None), key=sizes.__getitem__
    )
    for name, kind, why in _by_content(open_ones, {k for k, _ in kinds.values()}):
        kinds[name] = (kind, why)
    return {n: Guess(str(kind), why, sizes[n]) for n, (kind, why) in kinds.items()}


def _by_content(names: list[str], taken: set[str | None]) -> list[tuple[str, str, str]]:
    """Kinds of channels whose names say nothing, given smallest objects first."""
    missing = [kind for kind in ("effector", "target") if kind not in taken]
    if len(names) == 2 and len(missing) == 2:
        return [
            (names[0], "effector", "its objects are the smaller ones"),
            (names[1], "target", "its objects are the larger ones"),
        ]
    if len(names) == 1 and len(missing) == 1:
        return [(names[0], missing[0], "the other cell type is known")]
    return [(name, "other", "nothing tells") for name in names]


def blob_diameter(plane: np.ndarray) -> float:
    """Median diameter (px) of bright objects, by Otsu's threshold; NaN without any."""
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(plane.astype(np.float32), 1.0)
    if smooth.min() == smooth.max():
        return float("nan")
    objects, count = ndimage.label(smooth > threshold_otsu(smooth))
    areas = np.bincount(objects.ravel())[1:]
    areas = areas[areas >= 9]  # single bright pixels are noise
    return (
        float(2 * np.sqrt(np.median(areas) / np.pi)) if count and len(areas) else np.nan
    )
