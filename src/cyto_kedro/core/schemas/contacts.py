"""Who touches whom, and who is near."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import (
    FRAME,
    LABEL,
    NAME,
    TIME,
    TRACK,
    count,
    flag,
    number,
)
from cyto_kedro.core.table import Col, TableSpec

CONTACTS = TableSpec(
    "contacts",
    {
        "frame": FRAME,
        "time_min": TIME,
        "effector": Col("object", "", "effector role"),
        "target": Col("object", "", "target role"),
        "effector_label": LABEL,
        "target_label": LABEL,
        "effector_track_id": Col("Int64", "", "effector track", True),
        "target_track_id": Col("Int64", "", "target track", True),
        "distance_um": number("um", "least distance of the two masks' pixels", 0),
        "centroid_distance_um": number("um", "distance of the centroids", 0),
        "boundary_um": number("um", "target boundary within contact distance", 0),
        "overlap_px": count("pixels that both masks cover"),
        "in_contact": flag("in contact; the table lists pairs beyond it too"),
    },
    unique=("frame", "effector", "target", "effector_label", "target_label"),
)
EPISODES = TableSpec(
    "contact_episodes",
    {
        "effector": Col("object", "", "effector role"),
        "target": Col("object", "", "target role"),
        "effector_track_id": TRACK,
        "target_track_id": TRACK,
        "episode": Col("int64", "", "number of the contact of this pair, from 1", ge=1),
        "first_frame": FRAME,
        "last_frame": FRAME,
        "start_min": TIME,
        "end_min": TIME,
        "dwell_min": number("min", "time covered, both end frames included", 0),
        "n_frames": Col("int64", "", "frames in contact, merged gaps excluded", ge=1),
        "min_distance_um": number("um", "least distance in the episode", 0),
        "max_boundary_um": number("um", "longest shared boundary", 0),
        "truncated_start": flag("in contact when the movie or a track began"),
        "truncated_end": flag("in contact when the movie or a track ended"),
        "since_last_min": number(
            "min", "since this pair's contact before; NaN for the first", 0
        ),
        "effector_contact": Col("int64", "", "n-th contact of the effector", ge=1),
        "target_contact": Col("int64", "", "n-th contact of the target", ge=1),
        "last_of_effector": flag("the effector's last contact to begin"),
        "last_of_target": flag("the target's last contact to begin"),
    },
    unique=("effector", "target", "effector_track_id", "target_track_id", "episode"),
)
CONTACT_RATES = TableSpec(
    "contact_rates",
    {
        "frame": FRAME,
        "time_min": TIME,
        "effector": NAME,
        "target": NAME,
        "n_effectors": count("tracked effectors"),
        "n_targets": count("tracked targets"),
        "n_contacts": count("pairs in contact"),
        "n_begun": count("contacts that began in this frame"),
        "effectors_in_contact": number("", "share of the effectors in contact", 0),
        "targets_in_contact": number("", "share of the targets in contact", 0),
        "contacts_per_effector": number("", "partners of an effector, mean", 0),
        "contacts_per_target": number("", "partners of a target, mean", 0),
        "contacts_per_mm2": number("1/mm2", "pairs in contact per area of image", 0),
        "begun_per_effector_hour": number("1/h", "contacts begun per effector", 0),
        "begun_per_target_hour": number("1/h", "contacts begun per target", 0),
    },
    unique=("frame", "effector", "target"),
)
NEAREST = TableSpec(
    "nearest_target",
    {
        "frame": FRAME,
        "time_min": TIME,
        "effector": NAME,
        "target": NAME,
        "effector_label": LABEL,
        "effector_track_id": Col("Int64", "", "effector track", True),
        "target_label": Col("Int64", "", "nearest target; null = none", True),
        "target_track_id": Col("Int64", "", "its track", True),
        "distance_um": number("um", "least distance of the two masks' pixels", 0),
    },
    unique=("frame", "effector", "target", "effector_label"),
)
