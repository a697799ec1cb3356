"""The tables of the pipeline: names, columns, dtypes, units.

Keys: a cell in a frame is (``frame``, ``label``) and joins back to its mask; a cell
over time is ``track_id`` (unique within movie and role, from 1). Times are minutes
after frame 0 of the analysed range; lengths are um; undefined is NaN or <NA>.
"""

from __future__ import annotations

from cyto_kedro.core.table import Col, TableSpec

FRAME = Col("int64", "frame", "0-based frame index", ge=0)
LABEL = Col("int64", "", "id of the cell in this frame's mask", ge=1)
TRACK = Col("int64", "", "id of the cell over time, from 1", ge=1)
TIME = Col("float64", "min", "time after the first frame", ge=0)
NAME = Col("object", "", "name")


def _number(unit: str, about: str, ge: float | None = None) -> Col:
    return Col("float64", unit, about, nullable=True, ge=ge)


def _count(about: str) -> Col:
    return Col("int64", "", about, ge=0)


def _flag(about: str) -> Col:
    return Col("bool", "", about)


# pyCyto's 27 tabulation columns in its order, then ours. `i` counts rows (y), `j`
# counts columns (x). The bare x/y, bbox_[xy]*, size, feret and perimeter are physical.
PYCYTO_COLUMNS: dict[str, Col] = {
    "label": LABEL,
    "y": _number("um", "centroid row"),
    "x": _number("um", "centroid column"),
    "bbox_xstart": _number("um", "centre of the bounding box's first column"),
    "bbox_ystart": _number("um", "centre of the bounding box's first row"),
    "bbox_xsize": _number("um", "width of the bounding box", 0),
    "bbox_ysize": _number("um", "height of the bounding box", 0),
    "i": _number("px", "centroid row"),
    "j": _number("px", "centroid column"),
    "bbox_istart": Col("int64", "px", "first row of the bounding box", ge=0),
    "bbox_jstart": Col("int64", "px", "first column of the bounding box", ge=0),
    "bbox_isize": Col("int64", "px", "rows of the bounding box", ge=1),
    "bbox_jsize": Col("int64", "px", "columns of the bounding box", ge=1),
    "size": _number("um2", "area", 0),
    "elongation": _number("", "sqrt(largest / smallest principal moment)", 0),
    "flatness": _number("", "equals elongation in 2D (ITK's definition)", 0),
    "roundness": _number("", "perimeter of the equal-area disc / perimeter", 0),
    "feret_diameter": _number("um", "largest distance of two pixel centres", 0),
    "feret_radius": _number("um", "half the Feret diameter", 0),
    "perimeter": _number("um", "Crofton estimate over 8-direction intercepts", 0),
    "mass": _number("intensity", "sum of the role's first channel inside the mask"),
    "mean": _number("intensity", "mean of the role's first channel"),
    "median": _number("intensity", "exact median of the role's first channel"),
    "sd": _number(
        "intensity",
        "standard deviation (n - 1) of the role's first channel; NaN for one pixel",
        0,
    ),
    "frame": FRAME,
    "channel": Col("object", "", "role that the cell belongs to"),
    "alive": Col("boolean", "", "alive in this frame; unknown here", nullable=True),
}
OWN_COLUMNS: dict[str, Col] = {
    "time_min": TIME,
    "y_um": _number("um", "centroid row", 0),
    "x_um": _number("um", "centroid column", 0),
    "area_px": Col("int64", "px", "pixels of the mask", ge=1),
    "area_um2": _number("um2", "area", 0),
    "touches_border": _flag(
        "mask touches the edge of the image, or of what registration left of it"
    ),
    "in_valid_region": _flag("mask lies in pixels that registration left valid"),
}
CHANNEL_PATTERNS: dict[str, Col] = {
    r"^mean_.+$": _number("intensity", "mean of this channel inside the mask"),
    r"^median_.+$": _number("intensity", "median of this channel inside the mask"),
    r"^sd_.+$": _number("intensity", "standard deviation of this channel", 0),
    r"^background_.+$": _number(
        "intensity", "median of this channel outside all masks of the role"
    ),
}
DETECTIONS = TableSpec(
    "detections",
    PYCYTO_COLUMNS | OWN_COLUMNS,
    CHANNEL_PATTERNS,
    unique=("frame", "label"),
)
FRAME_COUNTS = TableSpec(
    "frame_counts",
    {
        "frame": FRAME,
        "time_min": TIME,
        "n_cells": _count("cells in this frame (0 is kept)"),
        "covered_fraction": _number("", "part of the image covered by masks", 0),
    },
    {r"^background_.+$": CHANNEL_PATTERNS[r"^background_.+$"]},
    unique=("frame",),
)
FRAME_STATS = TableSpec(
    "frame_stats",
    {
        "channel": NAME,
        "frame": FRAME,
        "time_min": TIME,
        "minimum": _number("intensity", "smallest pixel"),
        "p01": _number("intensity", "1st percentile"),
        "median": _number("intensity", "median"),
        "mean": _number("intensity", "mean"),
        "p99": _number("intensity", "99th percentile"),
        "maximum": _number("intensity", "largest pixel"),
        "saturated_fraction": _number("", "pixels at the dtype's maximum", 0),
        "focus": _number("", "variance of the Laplacian / mean squared", 0),
    },
    unique=("channel", "frame"),
)
# A frame's content at p = (y, x) lies on the reference at c + A (p - c) + (dy, dx) with
# c the centre of the image and A the linear part; tables without A mean A = 1.
DRIFT = TableSpec(
    "drift",
    {
        "frame": FRAME,
        "dy_px": _number("px", "row shift of the centre onto the reference"),
        "dx_px": _number("px", "column shift of the centre onto the reference"),
        "valid_y0": _count("first row with data after the frame was moved"),
        "valid_y1": _count("one past the last row with data"),
        "valid_x0": _count("first column with data"),
        "valid_x1": _count("one past the last column with data"),
        "quality": _number("", "correlation after registration, in [-1, 1]"),
    },
    {
        "^linear_yy$": _number("", "A: rows per row, about the centre; 1 = unchanged"),
        "^linear_yx$": _number("", "A: rows per column; -sin of a rotation's angle"),
        "^linear_xy$": _number("", "A: columns per row; sin of a rotation's angle"),
        "^linear_xx$": _number("", "A: columns per column; 1 = unchanged"),
    },
    unique=("frame",),
)
DEFORMATION = TableSpec(
    "deformation",
    {
        "frame": FRAME,
        "y_px": _number("px", "row of a node of the control grid on the reference"),
        "x_px": _number("px", "column of the node"),
        "dy_px": _number("px", "row displacement there, on top of the drift"),
        "dx_px": _number("px", "column displacement there"),
    },
    unique=("frame", "y_px", "x_px"),
)
RESIDUAL_MOTION = TableSpec(
    "residual_motion",
    {
        "frame": FRAME,
        "reference_frame": Col(
            "Int64", "frame", "frame that it was compared with; null = none", True
        ),
        "reliable_fraction": Col(
            "float64", "", "part of the image whose motion is believed", ge=0, le=1
        ),
        "common_dy_px": _number("px", "rows that the registration missed (median)"),
        "common_dx_px": _number("px", "columns that the registration missed"),
        "rms_px": _number("px", "rms of the local displacement beyond the common", 0),
        "p95_px": _number("px", "95th percentile of the same", 0),
        "coherence": _number(
            "", "share of it that neighbours or one affine motion foretell"
        ),
        "verdict": Col(
            "object", "", "aligned, shifted, deformed, own_motion or unknown"
        ),
        "transform_needed": Col(
            "object",
            "",
            "least transform that would take the rest out: none, translation, rigid, "
            "affine, deformable or unknown",
        ),
    },
    unique=("frame",),
)
INTENSITY_RANGE = TableSpec(
    "intensity_range",
    {
        "step": Col("int64", "", "position of the preprocessing step, from 0", ge=0),
        "lp": Col("float64", "%", "lower percentile", ge=0, le=100),
        "up": Col("float64", "%", "upper percentile", ge=0, le=100),
        "low": _number("intensity", "lower percentile's value over the movie"),
        "high": _number("intensity", "upper percentile's value over the movie"),
    },
    unique=("step",),
)
TRACK_COLUMNS: dict[str, Col] = {
    "track_id": TRACK,
    "parent_track_id": Col("Int64", "", "track that divided into this one", True),
    "link_distance_um": _number("um", "distance to the previous point of the track", 0),
    "gap_frames": _count("frames skipped since the previous point"),
    "link_confidence": _number("", "1 - cost / cost limit of the link, in [0, 1]", 0),
    "link_margin": _number(
        "", "1 - deviation / that of the best other link, in [0, 1]; 0 = ambiguous", 0
    ),
    "track_confidence": _number("", "least link margin of the track, in [0, 1]", 0),
    "relinked": _flag("joined to the previous point after tracking, across a gap"),
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
        "y_um": _number("um", "centroid row"),
        "x_um": _number("um", "centroid column"),
        "z_um": _number("um", "plane; 0 in 2D"),
        "radius_um": _number("um", "radius, or that of the equal-area disc", 0),
        "quality": _number("", "quality of the detection in the other program"),
        "track_id": TRACK,
        "parent_track_id": Col("Int64", "", "track that divided into this one", True),
        "merged_into_track_id": Col(
            "Int64", "", "track that this one and another merged into", True
        ),
        "link_distance_um": TRACK_COLUMNS["link_distance_um"],
        "gap_frames": TRACK_COLUMNS["gap_frames"],
        "link_cost": _number("", "cost of the only link into this point, as given"),
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
        "y_um": _number("um", "centroid row", 0),
        "x_um": _number("um", "centroid column", 0),
        "severity": _number(
            "",
            "larger is worse within a kind: distance from the edge (um), link length / "
            "the movie's median, or by how much the swap is below its limit",
            0,
        ),
    },
    unique=("kind", "frame", "track_id", "other_track_id"),
)
KINEMATICS = TableSpec(
    "kinematics",
    {
        "track_id": TRACK,
        "frame": FRAME,
        "label": LABEL,
        "time_min": TIME,
        "dt_min": _number("min", "time since the previous point", 0),
        "vel_y_um_per_min": _number("um/min", "row velocity from the previous point"),
        "vel_x_um_per_min": _number("um/min", "column velocity"),
        "speed_um_per_min": _number("um/min", "step speed; NaN at start and gaps", 0),
        "turning_angle_deg": _number("deg", "angle between steps, in [0, 180]", 0),
        "path_um": _number("um", "path length so far", 0),
        "net_displacement_um": _number("um", "distance from the first point", 0),
    },
    unique=("track_id", "frame"),
)
TRACK_SUMMARY = TableSpec(
    "track_summary",
    {
        "track_id": TRACK,
        "parent_track_id": Col("Int64", "", "track that divided into this one", True),
        "n_points": Col("int64", "", "detections in the track", ge=1),
        "first_frame": FRAME,
        "last_frame": FRAME,
        "duration_min": _number("min", "time from first to last point", 0),
        "n_gaps": _count("places where frames were skipped"),
        "n_daughters": _count("tracks that name this one as parent"),
        "path_um": _number("um", "path length", 0),
        "net_displacement_um": _number("um", "distance from first to last point", 0),
        "straightness": _number("", "net displacement / path length, in [0, 1]", 0),
        "outreach": _number("", "largest distance from start / path length", 0),
        "mean_speed_um_per_min": _number("um/min", "mean step speed", 0),
        "median_speed_um_per_min": _number("um/min", "median step speed", 0),
        "max_speed_um_per_min": _number("um/min", "fastest step", 0),
        "arrest_coefficient": _number("", "share of steps below the arrest speed", 0),
        "mean_turning_angle_deg": _number("deg", "mean turning angle", 0),
        "mean_link_confidence": _number("", "mean link confidence", 0),
        "track_confidence": _number(
            "", "least link margin, in [0, 1]; 0 = an ambiguous link", 0
        ),
        "mean_area_um2": _number("um2", "mean area", 0),
    },
    unique=("track_id",),
)
MSD = TableSpec(
    "msd",
    {
        "lag_frames": Col("int64", "frame", "lag", ge=1),
        "lag_min": _number("min", "lag", 0),
        "msd_um2": _number("um2", "mean squared displacement over real pairs", 0),
        "ci_low_um2": _number("um2", "bootstrap 2.5 % bound over tracks", 0),
        "ci_high_um2": _number("um2", "bootstrap 97.5 % bound over tracks", 0),
        "n_pairs": _count("pairs of points"),
        "n_tracks": _count("tracks"),
    },
    unique=("lag_frames",),
)
PERSISTENCE = TableSpec(
    "persistence",
    {
        "lag_frames": Col("int64", "frame", "frames between two steps", ge=1),
        "lag_min": _number("min", "lag", 0),
        "autocorrelation": _number(
            "", "mean cosine of the angle between steps that far apart, in [-1, 1]"
        ),
        "ci_low": _number("", "bootstrap 2.5 % bound over tracks"),
        "ci_high": _number("", "bootstrap 97.5 % bound over tracks"),
        "fitted": _number("", "the exponential that was fitted; NaN if not used"),
        "n_pairs": _count("pairs of steps"),
        "n_tracks": _count("tracks"),
    },
    unique=("lag_frames",),
)
MOTION_FIT = TableSpec(
    "motion_fit",
    {
        "n_tracks": _count("tracks with a step"),
        "n_steps": _count("steps between neighbouring frames"),
        "mean_speed_um_per_min": _number("um/min", "mean of all steps", 0),
        "msd_diffusion": _number("um2/min^alpha", "D of MSD = 2 d D t^alpha", 0),
        "msd_exponent": _number("", "alpha: 1 random walk, 2 straight, < 1 confined"),
        "msd_lags": _count("lags that this was fitted on"),
        "persistence_min": _number("min", "time to forget the direction", 0),
        "persistence_low_min": _number("min", "bootstrap 2.5 % bound over tracks", 0),
        "persistence_high_min": _number("min", "bootstrap 97.5 % bound", 0),
        "persistence_amplitude": _number("", "autocorrelation extrapolated to lag 0"),
        "persistence_lags": _count("lags that this was fitted on"),
        "persistence_verdict": Col(
            "object",
            "",
            "fitted, none (no memory from one step to the next), longer_than_seen or "
            "too_few_lags",
        ),
    },
)
CONTACT_MOTION = TableSpec(
    "contact_motion",
    {
        "effector": NAME,
        "target": NAME,
        "effector_track_id": TRACK,
        "state": Col("object", "", "before, during, after a contact, or free"),
        "n_steps": Col("int64", "", "steps in this state", ge=1),
        "time_min": _number("min", "time that these steps took", 0),
        "mean_speed_um_per_min": _number("um/min", "mean step speed", 0),
        "median_speed_um_per_min": _number("um/min", "median step speed", 0),
        "arrest_coefficient": _number("", "share of steps below the arrest speed", 0),
        "mean_turning_angle_deg": _number(
            "deg", "mean angle between two steps of this state", 0
        ),
        "straightness": _number(
            "", "net / path over the stretches in this state, weighted by path", 0
        ),
    },
    unique=("effector", "target", "effector_track_id", "state"),
)
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
        "distance_um": _number("um", "least distance of the two masks' pixels", 0),
        "centroid_distance_um": _number("um", "distance of the centroids", 0),
        "boundary_um": _number("um", "target boundary within contact distance", 0),
        "overlap_px": _count("pixels that both masks cover"),
        "in_contact": _flag("in contact; the table lists pairs beyond it too"),
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
        "dwell_min": _number("min", "time covered, both end frames included", 0),
        "n_frames": Col("int64", "", "frames in contact, merged gaps excluded", ge=1),
        "min_distance_um": _number("um", "least distance in the episode", 0),
        "max_boundary_um": _number("um", "longest shared boundary", 0),
        "truncated_start": _flag("in contact when the movie or a track began"),
        "truncated_end": _flag("in contact when the movie or a track ended"),
        "since_last_min": _number(
            "min", "since this pair's contact before; NaN for the first", 0
        ),
        "effector_contact": Col("int64", "", "n-th contact of the effector", ge=1),
        "target_contact": Col("int64", "", "n-th contact of the target", ge=1),
        "last_of_effector": _flag("the effector's last contact to begin"),
        "last_of_target": _flag("the target's last contact to begin"),
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
        "n_effectors": _count("tracked effectors"),
        "n_targets": _count("tracked targets"),
        "n_contacts": _count("pairs in contact"),
        "n_begun": _count("contacts that began in this frame"),
        "effectors_in_contact": _number("", "share of the effectors in contact", 0),
        "targets_in_contact": _number("", "share of the targets in contact", 0),
        "contacts_per_effector": _number("", "partners of an effector, mean", 0),
        "contacts_per_target": _number("", "partners of a target, mean", 0),
        "contacts_per_mm2": _number("1/mm2", "pairs in contact per area of image", 0),
        "begun_per_effector_hour": _number("1/h", "contacts begun per effector", 0),
        "begun_per_target_hour": _number("1/h", "contacts begun per target", 0),
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
        "distance_um": _number("um", "least distance of the two masks' pixels", 0),
    },
    unique=("frame", "effector", "target", "effector_label"),
)
NETWORK_METRICS = TableSpec(
    "network_metrics",
    {
        "graph": Col("object", "", "delaunay, radius or contact"),
        "frame": FRAME,
        "time_min": TIME,
        "n_nodes": _count("cells"),
        "n_edges": _count("edges"),
        "mean_degree": _number("", "mean degree", 0),
        "n_components": _count("connected components"),
        "mean_clustering": _number("", "mean clustering coefficient", 0),
        "mean_edge_um": _number("um", "mean edge length", 0),
        "heterotypic_fraction": _number("", "edges that join different roles", 0),
        "connecting_radius_um": _number("um", "longest edge of the spanning tree", 0),
        "largest_component": _number("", "share of the cells in the largest one", 0),
        "assortativity": _number(
            "", "of roles: 1 = edges only within roles, 0 = as by chance, < 0 = mixed"
        ),
    },
    unique=("graph", "frame"),
)
NETWORK_MIXING = TableSpec(
    "network_mixing",
    {
        "graph": Col("object", "", "delaunay or radius"),
        "frame": Col("Int64", "frame", "frame; null = the whole movie", True),
        "time_min": _number("min", "time of the frame", 0),
        "role_a": NAME,
        "role_b": NAME,
        "n_edges": _count("edges between cells of these roles"),
        "expected": _number("", "the same with roles dealt to tracks by chance", 0),
        "expected_low": _number("", "2.5 % quantile of the deals", 0),
        "expected_high": _number("", "97.5 % quantile of the deals", 0),
        "ratio": _number("", "edges / expected; above 1 = attracted", 0),
        "z": _number("", "(edges - expected) / standard deviation of the deals"),
        "p_value": Col("float64", "", "two-sided", True, ge=0, le=1),
        "n_permutations": _count("random deals"),
    },
    unique=("graph", "frame", "role_a", "role_b"),
)
DENSITY = TableSpec(
    "density_map",
    {
        "window": _count("part of the movie, from 0"),
        "start_min": TIME,
        "end_min": TIME,
        "y_um": _number("um", "centre of the grid's cell", 0),
        "x_um": _number("um", "centre of the grid's cell", 0),
        "cells_per_mm2": _number("1/mm2", "mean number of cells per area", 0),
        "relative": _number("", "the same / its mean over the map", 0),
        "bandwidth_y_um": _number("um", "standard deviation of the kernel", 0),
        "bandwidth_x_um": _number("um", "standard deviation of the kernel", 0),
    },
    unique=("window", "y_um", "x_um"),
)
VIABILITY = TableSpec(
    "viability",
    {
        "track_id": TRACK,
        "frame": FRAME,
        "label": LABEL,
        "time_min": TIME,
        "death_signal": _number("intensity", "death marker above background, or CDI"),
        "alive_probability": Col(
            "float64", "", "probability to be alive", True, ge=0, le=1
        ),
        "alive": Col("boolean", "", "alive by the death event of the track", True),
    },
    unique=("track_id", "frame"),
)
DEATHS = TableSpec(
    "deaths",
    {
        "role": Col("object", "", "role of the cell"),
        "track_id": TRACK,
        "entry_frame": FRAME,
        "exit_frame": FRAME,
        "entry_min": TIME,
        "exit_min": TIME,
        "death_frame": Col("Int64", "frame", "frame of death, null if none", True),
        "death_time_min": _number("min", "time of death, NaN if none", 0),
        "censored": _flag("no death was seen"),
        "reason": Col(
            "object",
            "",
            "died, dead_at_entry, end_of_movie, left_field, divided or lost",
        ),
        "peak_signal": _number("intensity", "largest death signal of the track"),
        "threshold": _number("intensity", "threshold that the signal was held to"),
    },
    unique=("role", "track_id"),
)
DEATH_EVIDENCE = TableSpec(
    "death_evidence",
    {
        "role": NAME,
        "track_id": TRACK,
        "death_frame": FRAME,
        "death_time_min": TIME,
        "onset_min": _number("min", "fitted time of 10 % of the marker's rise"),
        "onset_low_min": _number("min", "lower bound of its interval"),
        "onset_high_min": _number("min", "upper bound of its interval"),
        "rise_min": _number("min", "fitted time from 10 % to 90 %", 0),
        "baseline": _number("intensity", "fitted level before the rise"),
        "plateau": _number("intensity", "fitted level after it"),
        "fit_r2": _number("", "share of the variance that the rise explains"),
        "n_points": _count("points around the death that were fitted"),
        "live_ratio": _number("", "live signal after / before, rel. to the living"),
        "live_lost": Col("boolean", "", "second vote: live signal was lost", True),
    },
    unique=("role", "track_id"),
)
CONTROL_THRESHOLD = TableSpec(
    "control_threshold",
    {
        "role": NAME,
        "movie": NAME,
        "control": _flag("the sheet says that this movie has no effectors"),
        "n_cells": _count("tracked cells that were not dead at entry"),
        "n_control_cells": _count("cells of control movies that were pooled"),
        "threshold": _number("intensity", "threshold that was used"),
        "control_threshold": _number("intensity", "what the controls suggest"),
        "n_deaths": _count("deaths at the threshold that was used"),
        "n_below": _count("of these, peak signal below the suggestion"),
        "n_above": _count("living cells whose peak reaches it, at most so many deaths"),
    },
    unique=("role", "movie"),
)
ATTRIBUTION = TableSpec(
    "attribution",
    {
        "target": Col("object", "", "target role"),
        "target_track_id": TRACK,
        "death_frame": FRAME,
        "death_time_min": TIME,
        "effector": Col("object", "", "effector role; null = unattributed", True),
        "effector_track_id": Col("Int64", "", "candidate; null = unattributed", True),
        "n_candidates": _count("effectors in contact within the window"),
        "contact_min": _number("min", "contact time inside the window", 0),
        "last_contact_min": _number("min", "time of the last contact before death", 0),
        "min_distance_um": _number("um", "least distance inside the window", 0),
        "credit_nearest": Col("float64", "", "1 for the nearest/last toucher", ge=0),
        "credit_exclusive": Col("float64", "", "1 for an only candidate", ge=0),
        "credit_shared": Col("float64", "", "weighted share; sums to 1", ge=0),
        "credit_hazard": Col(
            "float64",
            "",
            "posterior of the hit model; sums to 1 with background_probability",
            ge=0,
            le=1,
        ),
        "background_probability": Col(
            "float64", "", "posterior of a death by no effector", ge=0, le=1
        ),
        "window_truncated": _flag("the window reaches before the target was seen"),
    },
    unique=("target", "target_track_id", "effector", "effector_track_id"),
)
KILLS = TableSpec(
    "kills",
    {
        "card": Col("object", "", "name of the evidence card; null = not drawn", True),
        "target": NAME,
        "target_track_id": TRACK,
        "death_frame": FRAME,
        "death_time_min": TIME,
        "onset_low_min": _number("min", "lower bound of the fitted onset"),
        "onset_high_min": _number("min", "upper bound of the fitted onset"),
        "live_lost": Col("boolean", "", "second vote: live signal was lost", True),
        "effector": Col("object", "", "role of the likeliest killer", True),
        "effector_track_id": Col(
            "Int64", "", "likeliest killer by the hit model; null = none", True
        ),
        "n_candidates": _count("effectors in contact within the window"),
        "credit_hazard": _number("", "its credit by the hit model", 0),
        "credit_shared": _number("", "its shared credit", 0),
        "credit_nearest": _number("", "1 if it is also the nearest / last toucher", 0),
        "credit_exclusive": _number("", "1 if it is the only candidate", 0),
        "background_probability": _number("", "posterior of a death by nobody", 0),
        "window_truncated": _flag("the window reaches before the target was seen"),
        "words": Col("object", "", "the same in a sentence"),
    },
    unique=("target", "target_track_id"),
)
# The check by eye: what is asked (`called` is kept from the person), and the outcome.
REVIEW = TableSpec(
    "review",
    {
        "event_id": NAME,
        "movie": NAME,
        "kind": Col("object", "", "death, kill or division"),
        "question": Col("object", "", "what the person is asked"),
        "role": NAME,
        "track_id": TRACK,
        "other_role": Col("object", "", "role of the candidate of a kill", True),
        "other_track_id": Col("Int64", "", "candidate of a kill", True),
        "frame": FRAME,
        "time_min": TIME,
        "called": _flag("the analysis says yes"),
    },
    unique=("event_id",),
)
AGREEMENT = TableSpec(
    "agreement",
    {
        "kind": Col("object", "", "death, kill, division or all"),
        "n": _count("events that were judged"),
        "n_unclear": _count("events that were left open"),
        "called_confirmed": _count("called by the analysis, yes by the person"),
        "called_rejected": _count("called by the analysis, no by the person"),
        "not_called_found": _count("drawn at random, yes by the person"),
        "not_called_confirmed": _count("drawn at random, no by the person"),
        "agreement": _number("", "share of equal verdicts", 0),
        "kappa": _number("", "Cohen's kappa on the sheet"),
        "kappa_low": _number("", "lower 95 % bound"),
        "kappa_high": _number("", "upper 95 % bound"),
        "precision": _number("", "share of the called that are confirmed", 0),
        "precision_low": _number("", "lower 95 % bound (Wilson)", 0),
        "precision_high": _number("", "upper 95 % bound", 0),
        "missed": _number("", "share of the others that are events too", 0),
        "missed_low": _number("", "lower 95 % bound (Wilson)", 0),
        "missed_high": _number("", "upper 95 % bound", 0),
    },
    unique=("kind",),
)
HIT_MODEL = TableSpec(
    "hit_model",
    {
        "target": NAME,
        "effector": NAME,
        "n_targets": _count("targets at risk"),
        "n_deaths": _count("deaths"),
        "contact_hours": _number("h", "contact with targets at risk", 0),
        "expected_kills": _number("", "summed hazard credit of this role", 0),
        "hits_per_contact_hour": _number("1/h", "lethal hits per contact hour", 0),
        "hits_low": _number("1/h", "lower 95 % bound", 0),
        "hits_high": _number("1/h", "upper 95 % bound", 0),
        "background_per_hour": _number("1/h", "deaths without contact per target", 0),
        "delay_mean_min": _number("min", "mean time from hit to death", 0),
        "delay_low_min": _number("min", "2.5 % posterior bound, on its grid", 0),
        "delay_high_min": _number("min", "97.5 % posterior bound, on its grid", 0),
        "delay_cv": _number("", "spread of the delay / its mean", 0),
        "log_likelihood_gain": _number("nat", "of hits above a background alone"),
    },
    unique=("target", "effector"),
)
ATTRIBUTION_CHANCE = TableSpec(
    "attribution_chance",
    {
        "target": NAME,
        "method": Col("object", "", "what was shifted: time_shift or position_shift"),
        "rule": Col("object", "", "any (nearest, shared), exclusive or hazard"),
        "window_min": _number("min", "attribution window", 0),
        "n_deaths": _count("deaths"),
        "n_attributed": _count("deaths that the rule gives to somebody"),
        "observed_fraction": _number("", "attributed / deaths", 0),
        "expected_fraction": _number("", "the same by chance, mean of all shifts", 0),
        "expected_low": _number("", "2.5 % quantile of random shifts", 0),
        "expected_high": _number("", "97.5 % quantile of random shifts", 0),
        "p_value": _number(
            "", "shifts that attribute as many deaths; hazard: that fit as well", 0
        ),
        "fdr": _number("", "false discovery rate: expected / observed, at most 1", 0),
        "excess_fraction": _number("", "deaths with a culprit beyond chance", 0),
        "n_shifts": _count("random shifts drawn"),
        "seed": _count("seed of the random shifts"),
    },
    unique=("target", "method", "rule", "window_min"),
)
SENSITIVITY = TableSpec(
    "sensitivity",
    {
        "target": NAME,
        "window_min": _number("min", "attribution window", 0),
        "contact_distance_um": _number("um", "contact distance", 0),
        "threshold": _number("intensity", "threshold of death"),
        "is_chosen": _flag("the settings of this run"),
        "n_deaths": _count("deaths"),
        "n_attributed": _count("deaths with a candidate"),
        "unattributed_share": _number("", "deaths without one", 0),
        "n_serial_killers": _count("likeliest killer of several deaths"),
        "expected_fraction": _number("", "attributed by chance (shifts in time)", 0),
        "p_value": _number("", "of more attributed deaths than by chance", 0),
        "beyond_chance": _flag("p value of at most 0.05"),
        "same_killer_share": _number(
            "", "deaths of the chosen settings that keep their likeliest killer", 0
        ),
    },
    unique=("target", "window_min", "contact_distance_um", "threshold"),
)
ATTRIBUTION_DENSITY = TableSpec(
    "attribution_density",
    {
        "target": NAME,
        "fraction": Col("float64", "", "effectors that are kept", ge=0, le=1),
        "rule": Col(
            "object", "", "every_toucher, nearest, exclusive, shared or hazard"
        ),
        "n_effectors": _count("effectors kept"),
        "n_deaths": _count("deaths, the same at every fraction"),
        "n_repeats": _count("random subsets"),
        "kills": _number("", "summed credit, mean of the subsets", 0),
        "kills_sd": _number("", "its standard deviation between subsets", 0),
        "kills_per_death": _number("", "credit per death; above 1 is impossible", 0),
        "kills_per_effector": _number("", "credit per effector", 0),
    },
    unique=("target", "fraction", "rule"),
)
KILLERS = TableSpec(
    "killers",
    {
        "effector": Col("object", "", "effector role"),
        "effector_track_id": TRACK,
        "kills_nearest": _number("", "kills by the nearest rule", 0),
        "kills_shared": _number("", "summed shared credit", 0),
        "kills_hazard": _number("", "summed credit by the hit model", 0),
        "contact_min": _number("min", "total contact time", 0),
        "observed_min": _number("min", "time in view", 0),
        "kills_per_hour": _number("1/h", "shared kills per hour in view", 0),
        "kills_per_contact_hour": _number("1/h", "shared kills per contact hour", 0),
        "first_kill_min": _number("min", "time in view before the first kill", 0),
        "serial": _flag("killed at least the configured number of targets"),
    },
    unique=("effector", "effector_track_id"),
)
SELECTION = TableSpec(
    "selection",
    {
        "role": NAME,
        "track_id": TRACK,
        "n_points": Col("int64", "", "points of the track", ge=1),
        "n_kept": _count("points that passed all steps"),
        "selected": _flag("the track passed all steps"),
        "failed_step": Col("Int64", "", "first step that it did not pass", True),
    },
    unique=("role", "track_id"),
)
SELECTION_STEPS = TableSpec(
    "selection_steps",
    {
        "role": NAME,
        "step": _count("number of the step; 0 = before the first"),
        "what": Col("object", "", "the step in words"),
        "n_points": _count("points left, interpolated ones included"),
        "n_interpolated": _count("interpolated points among them"),
        "n_tracks": _count("tracks left"),
    },
    unique=("role", "step"),
)
FEATURES = TableSpec(
    "features",
    {
        "feature": NAME,
        "role": Col("object", "", "role; null where two roles are combined", True),
        "frame": Col("Int64", "frame", "frame; null = of a whole track", True),
        "track_id": Col("Int64", "", "track; null = of a frame", True),
        "label": Col("Int64", "", "label in the mask, where known", True),
        "time_min": _number("min", "time of the frame", 0),
        "value": _number("", "value of the feature"),
    },
)
CHANNEL_CORRELATION = TableSpec(
    "channel_correlation",
    {
        "frame": FRAME,
        "time_min": TIME,
        "channel_a": NAME,
        "channel_b": NAME,
        "region": Col("object", "", "image, or the role whose masks are meant"),
        "n_px": _count("pixels of the region"),
        "pearson": Col("float64", "", "Pearson's r", True, ge=-1, le=1),
        "slope": _number("", "intensity of channel b per intensity of channel a"),
    },
    unique=("frame", "channel_a", "channel_b", "region"),
)
KILLING_CAPACITY = TableSpec(
    "killing_capacity",
    {
        "target": NAME,
        "start_min": TIME,
        "end_min": TIME,
        "n_effectors": _number("", "living effectors in view, mean of the frames", 0),
        "n_targets": _number("", "living targets in view, mean of the frames", 0),
        "effector_hours": _number("h", "time of living effectors in view", 0),
        "target_hours": _number("h", "time of living targets in view", 0),
        "n_deaths": _count("deaths"),
        "kills_shared": _number("", "summed shared credit", 0),
        "kills_hazard": _number("", "summed credit of the hit model", 0),
        "deaths_per_effector_hour": _number("1/h", "deaths / effector hours", 0),
        "ci_low": _number("1/h", "lower bound of the deaths per effector hour", 0),
        "ci_high": _number("1/h", "upper bound", 0),
        "kills_shared_per_effector_hour": _number("1/h", "kills, shared credit", 0),
        "kills_hazard_per_effector_hour": _number("1/h", "kills, hit model", 0),
        "deaths_per_target_hour": _number("1/h", "deaths / target hours", 0),
    },
    unique=("target", "start_min"),
)
DELAYED_VIABILITY = TableSpec(
    "delayed_viability",
    {
        "target": NAME,
        "group": Col("object", "", "contacted, or uncontacted until censored by one"),
        "delay_min": _number("min", "since the first contact; uncontacted: entry", 0),
        "n_at_risk": _count("targets at risk just before"),
        "n_deaths": _count("deaths at this delay"),
        "n_censored": _count("censored at this delay"),
        "alive": Col("float64", "", "Kaplan-Meier estimate", True, ge=0, le=1),
        "ci_low": Col("float64", "", "lower log-log bound", True, ge=0, le=1),
        "ci_high": Col("float64", "", "upper log-log bound", True, ge=0, le=1),
    },
    unique=("target", "group", "delay_min"),
)
SURVIVAL = TableSpec(
    "survival",
    {
        "group": Col("object", "", "movie, condition or other stratum"),
        "level": Col("object", "", "movie, or the sheet's column that groups movies"),
        "role": Col("object", "", "target role"),
        "time_min": TIME,
        "n_at_risk": _count("cells at risk just before this time"),
        "n_deaths": _count("deaths at this time"),
        "n_censored": _count("censored at this time"),
        "survival": Col("float64", "", "Kaplan-Meier estimate", True, ge=0, le=1),
        "ci_low": Col("float64", "", "lower log-log bound", True, ge=0, le=1),
        "ci_high": Col("float64", "", "upper log-log bound", True, ge=0, le=1),
        "band_low": Col(
            "float64", "", "lower bound of the simultaneous band", True, ge=0, le=1
        ),
        "band_high": Col("float64", "", "upper bound of the same", True, ge=0, le=1),
        "wells_low": Col(
            "float64", "", "lower bound over wells; NaN with one well", True, ge=0, le=1
        ),
        "wells_high": Col("float64", "", "upper bound of the same", True, ge=0, le=1),
    },
    unique=("group", "role", "time_min"),
)
_GROUP: dict[str, Col] = {
    "group": Col("object", "", "movie, condition or other stratum"),
    "level": Col("object", "", "movie, or the sheet's column that groups movies"),
}
_PAIR: dict[str, Col] = {
    "effector": Col("object", "", "effector role"),
    "target": Col("object", "", "target role"),
}
COMPETING_RISKS = TableSpec(
    "competing_risks",
    _GROUP
    | {
        "role": Col("object", "", "target role"),
        "outcome": Col("object", "", "died, or a way of leaving such as left_field"),
        "time_min": TIME,
        "n_at_risk": _count("cells at risk just before this time"),
        "n_events": _count("cells that ended in this way at this time"),
        "incidence": Col(
            "float64", "", "cumulative incidence (Aalen-Johansen)", True, ge=0, le=1
        ),
        "ci_low": Col("float64", "", "lower log-log bound", True, ge=0, le=1),
        "ci_high": Col("float64", "", "upper log-log bound", True, ge=0, le=1),
    },
    unique=("group", "role", "outcome", "time_min"),
)
LYSIS = TableSpec(
    "lysis",
    _GROUP
    | {
        "role": Col("object", "", "target role"),
        "time_min": TIME,
        "survival": Col("float64", "", "survival of the group", True, ge=0, le=1),
        "survival_control": Col(
            "float64", "", "survival without effectors", True, ge=0, le=1
        ),
        "lysis_percent": _number("%", "100 (1 - survival / survival_control)"),
        "lysis_low_percent": _number("%", "lower bound"),
        "lysis_high_percent": _number("%", "upper bound"),
        "excess_killed": _number("", "survival_control - survival"),
        "excess_low": _number("", "lower bound"),
        "excess_high": _number("", "upper bound"),
        "n_wells": _count("wells of the group"),
        "n_control_wells": _count("wells without effectors"),
        "resampled": Col(
            "object", "", "what the bounds come from: wells, or cells of single wells"
        ),
    },
    unique=("group", "role", "time_min"),
)
RATES = TableSpec(
    "rates",
    _GROUP
    | _PAIR
    | {
        "rule": Col("object", "", "how kills are credited: nearest, shared or hazard"),
        "n_movies": _count("movies"),
        "n_wells": _count("wells"),
        "n_effectors": _count("effector tracks"),
        "kills": _number("", "kills credited", 0),
        "effector_hours": _number("h", "time in view, summed over effectors", 0),
        "contact_hours": _number("h", "time in contact with targets, summed", 0),
        "kills_per_effector_hour": _number("1/h", "kills / effector hours", 0),
        "effector_hour_low": _number("1/h", "lower bound", 0),
        "effector_hour_high": _number("1/h", "upper bound", 0),
        "kills_per_contact_hour": _number("1/h", "kills / contact hours", 0),
        "contact_hour_low": _number("1/h", "lower bound", 0),
        "contact_hour_high": _number("1/h", "upper bound", 0),
        "interval": Col(
            "object", "", "poisson (kills are counted), or wells (resampled as well)"
        ),
    },
    unique=("group", "effector", "target", "rule"),
)
SERIAL_KILLING = TableSpec(
    "serial_killing",
    _GROUP
    | _PAIR
    | {
        "n_effectors": _count("effector tracks"),
        "n_kills": _count("kills by the nearest rule"),
        "n_killers": _count("effectors with a kill"),
        "n_serial": _count("effectors with the number that makes a serial killer"),
        "killer_fraction": _number("", "killers / effectors", 0),
        "serial_fraction": _number("", "serial killers / effectors", 0),
        "serial_expected": _number("", "the same, were all effectors equal", 0),
        "serial_p": _number("", "chance of as many or more, were all equal", 0),
        "max_kills": _count("most kills of one effector"),
        "gini": _number("", "inequality of kills: 0 all alike, 1 one kills all", 0),
        "gini_expected": _number("", "the same, were all effectors equal", 0),
        "gini_p": _number("", "chance of as much or more, were all equal", 0),
        "median_first_kill_min": _number("min", "time until half have killed", 0),
    },
    unique=("group", "effector", "target"),
)
KILL_DISTRIBUTION = TableSpec(
    "kill_distribution",
    _GROUP
    | _PAIR
    | {
        "kills": _count("kills of one effector (nearest rule)"),
        "n_effectors": _count("effectors with so many"),
        "expected": _number("", "effectors with so many, were all equal", 0),
        "effector_share": _number("", "Lorenz: share of effectors with at most that"),
        "kill_share": _number("", "Lorenz: share of all kills that are theirs"),
    },
    unique=("group", "effector", "target", "kills"),
)
FIRST_KILL = TableSpec(
    "first_kill",
    _GROUP
    | _PAIR
    | {
        "time_min": _number("min", "time in view", 0),
        "n_at_risk": _count("effectors in view that have not killed"),
        "n_kills": _count("first kills at this time"),
        "n_censored": _count("effectors that went out of view without a kill"),
        "killed_fraction": Col(
            "float64", "", "1 - Kaplan-Meier: share that has killed", True, ge=0, le=1
        ),
        "ci_low": Col("float64", "", "lower log-log bound", True, ge=0, le=1),
        "ci_high": Col("float64", "", "upper log-log bound", True, ge=0, le=1),
    },
    unique=("group", "effector", "target", "time_min"),
)
ET_RATIO = TableSpec(
    "et_ratio",
    {"movie": NAME}
    | _PAIR
    | {
        "time_min": TIME,
        "n_effectors": _count("living effectors in view"),
        "n_targets": _count("living targets in view"),
        "et_ratio": _number("", "effectors per target; NaN without targets", 0),
    },
    unique=("movie", "effector", "target", "time_min"),
)
SUPERPLOT = TableSpec(
    "superplot",
    {
        "level": Col("object", "", "movie, well or donor: what a row stands for"),
        "name": Col("object", "", "the movie, well or donor"),
        "group": Col("object", "", "condition; null if the sheet has none", True),
        "donor": Col("object", "", "donor; null if the sheet has none", True),
        "well": Col("object", "", "well; the movie if the sheet has none", True),
        "control": _flag("movies without effectors"),
        "et_sheet": _number("", "effectors per target that the sheet states", 0),
        "role": Col("object", "", "target role"),
        "effector": Col("object", "", "effector role; null = of the targets", True),
        "outcome": Col("object", "", "what was measured"),
        "unit": Col("object", "", "unit of the value"),
        "value": _number("", "the outcome"),
        "n_cells": _count("cells that it was measured on"),
    },
    unique=("level", "name", "group", "control", "role", "effector", "outcome"),
)
COMPARISONS = TableSpec(
    "comparisons",
    {
        "role": Col("object", "", "target role"),
        "effector": Col("object", "", "effector role; null = of the targets", True),
        "outcome": Col("object", "", "what was measured"),
        "group_a": Col("object", "", "condition"),
        "group_b": Col("object", "", "condition; differences are b - a"),
        "unit": Col("object", "", "unit of inference: movie, well or donor"),
    }
    | {
        f"n_{what}_{arm}": _count(f"{what} of group {arm}")
        for arm in "ab"
        for what in ("cells", "movies", "wells", "donors")
    }
    | {
        "mean_a": _number("", "mean over the wells of a, donors weighing alike"),
        "mean_b": _number("", "mean over the wells of b"),
        "difference": _number("", "mean_b - mean_a"),
        "difference_low": _number("", "lower bound, resampling the unit"),
        "difference_high": _number("", "upper bound"),
        "hodges_lehmann": _number("", "median of all differences within donors"),
        "hodges_lehmann_low": _number("", "lower bound, resampling the unit"),
        "hodges_lehmann_high": _number("", "upper bound"),
        "cliffs_delta": Col("float64", "", "P(b > a) - P(b < a)", True, ge=-1, le=1),
        "cliffs_delta_low": Col("float64", "", "lower bound", True, ge=-1, le=1),
        "cliffs_delta_high": Col("float64", "", "upper bound", True, ge=-1, le=1),
        "p_value": Col("float64", "", "permuting the unit", True, ge=0, le=1),
        "p_holm": Col("float64", "", "corrected (Holm)", True, ge=0, le=1),
        "p_bh": Col("float64", "", "corrected (Benjamini-Hochberg)", True, ge=0, le=1),
        "n_tests": _count("tests that were corrected for"),
        "least_p": Col(
            "float64", "", "least p-value that so few units can give", True, ge=0, le=1
        ),
        "note": Col("object", "", "what the numbers allow to conclude"),
    },
    unique=("role", "effector", "outcome", "group_a", "group_b"),
)
ET_DEPENDENCE = TableSpec(
    "et_dependence",
    {
        "role": Col("object", "", "target role"),
        "effector": Col("object", "", "effector role; null = of the targets", True),
        "outcome": Col("object", "", "what was measured"),
        "source": Col("object", "", "E:T of the sheet, or measured in the first frame"),
        "n_units": _count("wells with both"),
        "n_donors": _count("donors"),
        "n_ratios": _count("different E:T ratios"),
        "slope_per_doubling": _number("", "change of the outcome as E:T doubles"),
        "slope_low": _number("", "lower bound, resampling wells"),
        "slope_high": _number("", "upper bound"),
        "p_value": Col(
            "float64", "", "permuting E:T within donor and condition", True, ge=0, le=1
        ),
    },
    unique=("role", "effector", "outcome", "source"),
)
# pyCyto's README: one row per cell per frame, all roles of the movie together.
RESULT = TableSpec(
    "result",
    {
        "Id": Col("int64", "", "row id, unique within the movie", ge=1),
        "Track_id": Col("Int64", "", "cell over time, unique within the movie", True),
        "x": _number("um", "centroid column"),
        "y": _number("um", "centroid row"),
        "z": _number("um", "plane; 0 in 2D"),
        "t": Col("int64", "frame", "0-based frame index", ge=0),
        "ch0_signal": _number("intensity", "mean of the first channel in the mask"),
        "ch1_signal": _number("intensity", "mean of the second channel in the mask"),
        "alive_probability": Col("float64", "", "NaN where not measured", True, 0, 1),
        "vel_x": _number("um/min", "column velocity from the previous point"),
        "vel_y": _number("um/min", "row velocity from the previous point"),
        "vel_z": _number("um/min", "plane velocity; 0 in 2D, NaN where vel_x is"),
        "contact": _flag("in contact with a cell of the other kind"),
        "contact_cell_id": Col("Int64", "", "Id of the nearest touching cell", True),
        "contact_count": _count("cells of the other kind in contact"),
    },
    unique=("Id",),
)
CELLS = TableSpec(
    "cells",
    {
        "Id": Col("int64", "", "row of the result table", ge=1),
        "role": Col("object", "", "role of the cell"),
        "frame": FRAME,
        "time_min": TIME,
        "label": LABEL,
        "track_id": TRACK,
    },
    unique=("Id",),
)
# Condition columns of the sheet follow, whatever they are called.
EXPERIMENT_RESULT = TableSpec(
    "experiment_result",
    {"dataset": NAME, "movie": NAME, "role": NAME, "label": LABEL, "time_min": TIME}
    | RESULT.columns,
    open=True,
)
