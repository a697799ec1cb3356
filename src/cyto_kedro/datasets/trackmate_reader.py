"""Reads what a TrackMate XML file says, in the file's own units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError

# TrackMate marks spots and links that were made by hand with this quality and cost.
BY_HAND = -1.0
# Our own spot feature: the label of the cell in its mask.
LABEL_FEATURE = "CYTO_LABEL"
_SPOT = {
    "x": "POSITION_X",
    "y": "POSITION_Y",
    "z": "POSITION_Z",
    "t": "POSITION_T",
    "radius": "RADIUS",
    "quality": "QUALITY",
    "visible": "VISIBILITY",
    "label": LABEL_FEATURE,
}
_PLACE = ["x", "y", "z", "t"]


@dataclass
class TrackMateFile:
    """Content of a file.

    Attributes:
        length_unit: Such as ``micron`` or ``pixel``.
        time_unit: Such as ``sec``, ``min`` or ``frame``.
        image: Numbers of ``ImageData``: pixelwidth, pixelheight, timeinterval, ...
        spots: id, frame, x, y, z, t, radius, quality, visible, label; NaN = not said.
        edges: source, target (spot ids), cost, track.
        shown: Ids of the tracks that TrackMate's filters leave visible.
    """

    length_unit: str = "pixel"
    time_unit: str = "frame"
    image: dict[str, float] = field(default_factory=dict)
    spots: pd.DataFrame = field(default_factory=pd.DataFrame)
    edges: pd.DataFrame = field(default_factory=pd.DataFrame)
    shown: set[int] = field(default_factory=set)

    def visible(self) -> TrackMateFile:
        """Without the spots and tracks that TrackMate's filters hide.

        The spots of a hidden track go with it: left behind they would look like cells
        that were seen once.
        """
        spots, edges = self.spots, self.edges
        hidden = edges[~edges["track"].isin(self.shown)]
        gone = set(spots["id"][spots["visible"] == 0])
        gone.update(hidden["source"], hidden["target"])
        lost = edges["source"].isin(gone) | edges["target"].isin(gone)
        return TrackMateFile(
            self.length_unit,
            self.time_unit,
            self.image,
            spots[~spots["id"].isin(gone)],
            edges[~lost],
            self.shown,
        )


def read_trackmate(path: Path) -> TrackMateFile:
    """Read a TrackMate file (format of version 4 and later), element by element.

    Raises:
        InputError: It is no TrackMate XML, or a number or a spot is missing.
    """
    try:
        reader = _Reader()
        for event, element in ElementTree.iterparse(path, ("start", "end")):
            reader.take(event, element)
        return reader.finish()
    except (ElementTree.ParseError, KeyError, ValueError) as exc:
        raise InputError(
            f"This is not a TrackMate file that can be read: {exc}",
            where=str(path),
            fix="save it again in TrackMate ('Save', not 'Export tracks to XML')",
        ) from exc


class _Reader:
    """Collects attributes and drops elements, so that memory holds numbers only."""

    def __init__(self) -> None:
        self.file = TrackMateFile()
        self._spots: list[tuple[float, ...]] = []
        self._ids: list[tuple[int, int]] = []
        self._edges: list[tuple[int, int, float, int]] = []
        self._frame = self._track = -1
        self._seen: set[str] = set()

    def take(self, event: str, element: ElementTree.Element) -> None:
        tag = element.tag
        if event == "start":
            self._open(tag, element.attrib)
            return
        if tag == "Spot":
            self._spot(element.attrib)
        elif tag == "Edge":
            self._edge(element.attrib)
        elif tag == "TrackID":
            self.file.shown.add(int(element.attrib["TRACK_ID"]))
        elif tag == "ImageData":
            self.file.image = dict(_numbers(element.attrib))
        if tag in ("SpotsInFrame", "Track", "Settings", "GUIState"):
            element.clear()

    def _open(self, tag: str, said: dict[str, str]) -> None:
        if not self._seen and tag != "TrackMate":
            raise ValueError(f"its first element is <{tag}>, not <TrackMate>")
        self._seen.add(tag)
        if tag == "Model":
            self.file.length_unit = said.get("spatialunits", "pixel")
            self.file.time_unit = said.get("timeunits", "frame")
        elif tag == "SpotsInFrame":
            self._frame = int(said["frame"])
        elif tag == "Track":
            self._track = int(said["TRACK_ID"])

    def _spot(self, said: dict[str, str]) -> None:
        self._ids.append((int(said["ID"]), self._frame))
        self._spots.append(
            tuple(float(said.get(name, "nan")) for name in _SPOT.values())
        )

    def _edge(self, said: dict[str, str]) -> None:
        ends = int(said["SPOT_SOURCE_ID"]), int(said["SPOT_TARGET_ID"])
        cost = float(said.get("LINK_COST", BY_HAND))
        self._edges.append((*ends, cost, self._track))

    def finish(self) -> TrackMateFile:
        missing = {"Model", "AllSpots", "AllTracks", "FilteredTracks"} - self._seen
        if missing:
            raise ValueError(f"there is no <{min(missing)}>")
        ids = np.array(self._ids, dtype=np.int64).reshape(-1, 2)
        facts = np.array(self._spots, dtype=np.float64).reshape(-1, len(_SPOT))
        spots = pd.concat(
            [
                pd.DataFrame(ids, columns=["id", "frame"]),
                pd.DataFrame(facts, columns=list(_SPOT)),
            ],
            axis=1,
        )
        spots["z"] = spots["z"].fillna(0.0)
        step = self.file.image.get("timeinterval", np.nan)
        spots["t"] = spots["t"].fillna(spots["frame"] * step)
        self.file.spots = spots
        columns = {"source": "i8", "target": "i8", "cost": "f8", "track": "i8"}
        edges = pd.DataFrame(self._edges, columns=list(columns)).astype(columns)
        self.file.edges = edges
        _check(spots, edges)
        return self.file


def _check(spots: pd.DataFrame, edges: pd.DataFrame) -> None:
    if spots["id"].duplicated().any():
        raise ValueError(f"spot {spots['id'][spots['id'].duplicated()].iloc[0]} twice")
    bad = ~np.isfinite(spots[_PLACE].to_numpy()).all(axis=1)
    if bad.any():
        raise ValueError(f"spot {spots['id'][bad].iloc[0]} has no finite position")
    for end in ("source", "target"):
        unknown = edges[end][~edges[end].isin(spots["id"])]
        if len(unknown):
            raise ValueError(f"an edge names spot {unknown.iloc[0]}, which is absent")


def _numbers(said: dict[str, str]) -> Iterator[tuple[str, float]]:
    for name, text in said.items():
        if name not in ("filename", "folder"):
            yield name, float(text)
