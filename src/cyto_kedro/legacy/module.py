"""What is known of a module of pyCyto, and of each of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cyto_kedro.legacy.report import Verdict

#: Value as written, pixel size (um) -> our value.
Convert = Callable[[Any, float], Any]


def same(value: Any, pixel_um: float) -> Any:
    """As written."""
    return value


def length(value: Any, pixel_um: float) -> Any:
    """Pixels to um; nothing, or 0, is nothing."""
    return round(float(value) * pixel_um, 4) if value else None


def area(value: Any, pixel_um: float) -> Any:
    """Square pixels to um2."""
    return None if value is None else round(float(value) * pixel_um**2, 4)


def gap(value: Any, pixel_um: float) -> Any:
    """A difference of frame numbers to frames that are missing."""
    return max(int(value) - 1, 0)


@dataclass(frozen=True)
class Arg:
    """One argument.

    Attributes:
        ours: Key of our parameter group; empty: it has none.
        verdict: What becomes of it.
        note: Why, where it is not simply the same.
        convert: From its value to ours.
        default: Value that pyCyto takes where the file has none; None: ours holds.
        place: Our parameter group, where it is not the module's.
    """

    ours: str = ""
    verdict: Verdict = "mapped"
    note: str = ""
    convert: Convert = same
    default: Any = None
    place: str = ""


@dataclass(frozen=True)
class Module:
    """One class of pyCyto.

    Attributes:
        stage: preprocessing, segmentation, tabulation, tracking, postprocessing.
        path: Its dotted name.
        args: Arguments by name.
        note: What differs here, whatever the arguments.
        nodes: Names of our nodes that do its work; ``{name}`` is the channel, role or
            pair.
        grouped: Takes groups of channels.
        refused: Why there is nothing for it here.
        also: Further dotted names that it has had.
        anywhere: Only its name is known: any file of its stage may hold it.
    """

    stage: str
    path: str
    args: Mapping[str, Arg] = field(default_factory=dict)
    note: str = ""
    nodes: tuple[str, ...] = ()
    grouped: bool = False
    refused: str = ""
    also: tuple[str, ...] = ()
    anywhere: bool = False

    def is_at(self, path: str) -> bool:
        """Whether a dotted name can mean it."""
        if path in (self.path, *self.also):
            return True
        parts = path.split(".")
        return self.anywhere and parts[0] == "cyto" and parts[1:2] == [self.stage]
