"""Which plane of a file is frame ``t`` of a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cyto_kedro.core.errors import InputError

# What tifffile calls an axis that the file does not name.
_UNKNOWN = "QI"


@dataclass(frozen=True)
class PlanePlan:
    """Where the YX planes of one channel lie among the leading axes of an array.

    Attributes:
        leading: Sizes of the axes before Y and X.
        time_axis: Which of them is time; None for a single frame.
        fixed: Index on each leading axis (the channel's, the plane's; 0 on time).
        plane_shape: (Y, X).
        depth_axis: Which of them is projected (Z); None where nothing is.
    """

    leading: tuple[int, ...]
    time_axis: int | None
    fixed: tuple[int, ...]
    plane_shape: tuple[int, int]
    depth_axis: int | None = None

    @property
    def n_depths(self) -> int:
        """Planes that are projected to one frame."""
        return 1 if self.depth_axis is None else self.leading[self.depth_axis]

    @property
    def n_frames(self) -> int:
        """Frames of the movie."""
        return 1 if self.time_axis is None else self.leading[self.time_axis]

    def at(self, frame: int, depth: int = 0) -> tuple[int, ...]:
        """Index of a frame's plane on the leading axes."""
        index = list(self.fixed)
        if self.time_axis is not None:
            index[self.time_axis] = frame
        if self.depth_axis is not None:
            index[self.depth_axis] = depth
        return tuple(index)

    def flat(self, frame: int, depth: int = 0) -> int:
        """Number of a frame's plane, counted in file order."""
        if not self.leading:
            return 0
        return int(np.ravel_multi_index(self.at(frame, depth), self.leading))


def plan_planes(
    axes: str,
    shape: tuple[int, ...],
    *,
    source: str,
    index: int | None = None,
    declared: str | None = None,
    z: int | Literal["max"] | None = None,
) -> PlanePlan:
    """Find time and channel among the axes of a file.

    Args:
        axes: Axis letters that the file states, such as ``TCYX``.
        shape: Sizes in the same order.
        source: File, for messages.
        index: Channel wanted from a multi-channel file.
        declared: Axis letters from ``globals.yml``; they win over the file's.
        z: Plane of a Z stack, or ``max``.

    Raises:
        InputError: The axes are not those of a 2D movie, are ambiguous, or the channel
            index or the plane is missing or out of range.
    """
    axes = _chosen(axes.upper(), shape, source, declared)
    if "S" in axes:
        raise InputError(
            "This is an RGB colour image",
            where=source,
            fix="export each fluorescence channel as a grey-scale image",
        )
    if axes[-2:] != "YX":
        raise InputError(
            f"Rows and columns must be the last axes, the file has {axes}",
            where=source,
            fix="export the movie with axes TYX or TCYX",
        )
    leading, names = shape[:-2], _named(axes[:-2], shape, source)
    fixed = tuple(
        _fixed(name, size, index, source) if name != "Z" else _plane(size, z, source)
        for name, size in zip(names, leading, strict=True)
    )
    if index and "C" not in names:
        raise InputError(
            f"Channel index {index} was asked of a file with one channel",
            where=source,
            fix="remove 'index' of this channel in globals.yml",
        )
    time_axis = names.index("T") if "T" in names else None
    depth_axis = names.index("Z") if z == "max" and "Z" in names else None
    return PlanePlan(leading, time_axis, fixed, (shape[-2], shape[-1]), depth_axis)


def _chosen(
    axes: str, shape: tuple[int, ...], source: str, declared: str | None
) -> str:
    if declared is None:
        return axes
    if len(declared) != len(shape):
        raise InputError(
            f"axes: {declared} was declared, the file has shape {shape} ({axes})",
            where=source,
            fix="give one letter per axis in globals.yml, or leave 'axes' out",
        )
    return declared.upper()


def _named(leading: str, shape: tuple[int, ...], source: str) -> str:
    """Leading axes with a single unnamed one taken as time."""
    unnamed = [letter for letter in leading if letter in _UNKNOWN]
    if len(unnamed) == 1 and "T" not in leading:
        return leading.replace(unnamed[0], "T")
    strange = [
        f"{letter} ({size})"
        for letter, size in zip(leading, shape, strict=False)
        if letter not in "TCZ" and size > 1
    ]
    if strange:
        raise InputError(
            f"Axes that a 2D movie does not have: {', '.join(strange)}",
            where=source,
            fix="if it is time, write 'axes' of this channel in globals.yml (for "
            "example axes: TYX); otherwise export one plane",
        )
    return leading


def _fixed(name: str, size: int, index: int | None, source: str) -> int:
    if name != "C":
        return 0
    if size > 1 and index is None:
        raise InputError(
            f"The file holds {size} channels",
            where=source,
            fix="say which one with 'index' (from 0) of this channel in globals.yml",
        )
    if (index or 0) >= size:
        raise InputError(
            f"There is no channel {index}: the file holds {size}, counted from 0",
            where=source,
            fix="correct 'index' of this channel in globals.yml",
        )
    return index or 0


def _plane(size: int, z: int | Literal["max"] | None, source: str) -> int:
    if size > 1 and z is None:
        raise InputError(
            f"The file holds a Z stack of {size} planes",
            where=source,
            fix="choose in globals.yml: 'z: max' of this channel projects the stack to "
            f"its brightest pixels, 'z: 0' to 'z: {size - 1}' takes one plane; if Z "
            "is time after all, write 'axes' (for example axes: TYX)",
        )
    if isinstance(z, int) and z >= size:
        raise InputError(
            f"There is no plane {z}: the file holds {size}, counted from 0",
            where=source,
            fix="correct 'z' of this channel in globals.yml",
        )
    return z if isinstance(z, int) else 0


def pick_scene(
    names: Sequence[str], wanted: str | int | None, source: str, fix: str = ""
) -> int:
    """Number of the image that is meant in a file that may hold several.

    Args:
        names: Names of the images in file order.
        wanted: Name or number from 0; None where the file holds one.
        source: File, for messages.
        fix: What else can be done than naming one of them.

    Raises:
        InputError: Several images and none named, or no such image.
    """
    text = None if wanted is None else str(wanted)
    if text is None and len(names) == 1:
        return 0
    matches = [number for number, name in enumerate(names) if name == text]
    if len(matches) == 1:
        return matches[0]
    if text is not None and text.isdecimal() and int(text) < len(names):
        return int(text)
    shown = ", ".join(f"{i} '{name}'" for i, name in enumerate(names[:12]))
    what = f"holds {len(names)} images" if text is None else f"has no image '{text}'"
    raise InputError(
        f"The file {what}: {shown}{', ...' if len(names) > 12 else ''}",
        where=source,
        fix=fix
        or "name one with 'scene' of the channels in globals.yml; 'scene: <scene>' "
        "takes it from the column 'scene' of the sheet, one movie per position",
    )
