"""Cells over time."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import (
    FRAME,
    LABEL,
    TIME,
    TRACK,
    count,
    flag,
    number,
)
from cyto_kedro.core.schemas.tabulation import (
    CHANNEL_PATTERNS,
    OWN_COLUMNS,
    PYCYTO_COLUMNS,
)
from cyto_kedro.core.table import Col, TableSpec

TRACK_COLUMNS: dict[str, Col] = {
    "track_id": TRACK,
    "parent_track_id": Col("Int64", "", "track that divided into this one", True),
    "link_distance_um": number("um", "distance to the previous point of the track", 0),
    "gap_frames": count("frames skipped since the previous point"),
    "link_confidence": number("", "1 - cost / cost limit of the link, in [0, 1]", 0),
    "link_margin": number(
        "", "1 - deviation / that of the best other link, in [0, 1]; 0 = ambiguous", 0
    ),
    "track_confidence": number("", "least link margin of the track, in [0, 1]", 0),
    "relinked": flag("joined to the previous point after tracking, across a gap"),
}
TRACKS = TableSpec(
    "tracks",
    PYCYTO_COLUMNS | OWN_COLUMNS | TRACK_COLUMNS,
    CHANNEL_PATTERNS,
    unique=("frame", "label"),
)
# What another program's tracks say. Its tracks end at every split and every merge;
# ours need no more than these columns to be exported.
EXCHANGED_TRACKS = TableSpec(
    "exchanged_tracks",
    {
        "frame": FRAME,
        "label": LABEL,
        "time_min": TIME,
        "y_um": number("um", "centroid row"),
        "x_um": number("um", "centroid column"),
        "z_um": number("um", "plane; 0 in 2D"),
        "radius_um": number("um", "radius, or that of the equal-area disc", 0),
        "quality": number("", "quality of the detection in the other program"),
        "track_id": TRACK,
        "parent_track_id": Col("Int64", "", "track that divided into this one", True),
        "merged_into_track_id": Col(
            "Int64", "", "track that this one and another merged into", True
        ),
        "link_distance_um": TRACK_COLUMNS["link_distance_um"],
        "gap_frames": TRACK_COLUMNS["gap_frames"],
        "link_cost": number("", "cost of the only link into this point, as given"),
        "source_id": Col("Int64", "", "id of the point in the other program", True),
    },
    unique=("frame", "label"),
)
# Statistics that were exported with the tracks follow, by the names given to them.
IMARIS_TRACKS = TableSpec(
    "imaris_tracks",
    EXCHANGED_TRACKS.columns
    | {"source_track_id": Col("Int64", "", "track in Imaris; null = none", True)},
    unique=("frame", "label"),
    open=True,
)
SUSPICIOUS_EVENTS = TableSpec(
    "suspicious_events",
    {
        "kind": Col(
            "object",
            "",
            "appears or vanishes (in mid-field), jump, or swap (two cells may have "
            "exchanged their identities)",
        ),
        "frame": FRAME,
        "time_min": TIME,
        "label": LABEL,
        "track_id": TRACK,
        "other_track_id": Col("Int64", "", "the other track of a swap", True),
        "y_um": number("um", "centroid row", 0),
        "x_um": number("um", "centroid column", 0),
        "severity": number(
            "",
            "larger is worse within a kind: distance from the edge (um), link length / "
            "the movie's median, or by how much the swap is below its limit",
            0,
        ),
    },
    unique=("kind", "frame", "track_id", "other_track_id"),
)
