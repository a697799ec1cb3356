"""The tables of the pipeline: names, columns, dtypes, units.

Keys: a cell in a frame is (``frame``, ``label``) and joins back to its mask; a cell
over time is ``track_id`` (unique within movie and role, from 1). Times are minutes
after frame 0 of the analysed range; lengths are um; undefined is NaN or <NA>.
"""

from __future__ import annotations

from cyto_kedro.core.schemas.attribution import (
    ATTRIBUTION,
    ATTRIBUTION_CHANCE,
    ATTRIBUTION_DENSITY,
    HIT_MODEL,
    KILLERS,
    KILLS,
    SENSITIVITY,
)
from cyto_kedro.core.schemas.columns import FRAME, LABEL, NAME, TIME, TRACK
from cyto_kedro.core.schemas.contacts import CONTACT_RATES, CONTACTS, EPISODES, NEAREST
from cyto_kedro.core.schemas.deaths import (
    AGREEMENT,
    CONTROL_THRESHOLD,
    DEATH_EVIDENCE,
    DEATHS,
    REVIEW,
    VIABILITY,
)
from cyto_kedro.core.schemas.features import (
    CHANNEL_CORRELATION,
    DELAYED_VIABILITY,
    FEATURES,
    KILLING_CAPACITY,
    SELECTION,
    SELECTION_STEPS,
)
from cyto_kedro.core.schemas.kinematics import (
    CONTACT_MOTION,
    KINEMATICS,
    MOTION_FIT,
    MSD,
    PERSISTENCE,
    TRACK_SUMMARY,
)
from cyto_kedro.core.schemas.networks import DENSITY, NETWORK_METRICS, NETWORK_MIXING
from cyto_kedro.core.schemas.populations import (
    COMPARISONS,
    COMPETING_RISKS,
    ET_DEPENDENCE,
    ET_RATIO,
    FIRST_KILL,
    KILL_DISTRIBUTION,
    LYSIS,
    RATES,
    SERIAL_KILLING,
    SUPERPLOT,
    SURVIVAL,
)
from cyto_kedro.core.schemas.preprocessing import (
    DEFORMATION,
    DRIFT,
    FRAME_STATS,
    INTENSITY_RANGE,
    RESIDUAL_MOTION,
)
from cyto_kedro.core.schemas.results import CELLS, EXPERIMENT_RESULT, RESULT
from cyto_kedro.core.schemas.tabulation import (
    CHANNEL_PATTERNS,
    DETECTIONS,
    FRAME_COUNTS,
    OWN_COLUMNS,
    PYCYTO_COLUMNS,
)
from cyto_kedro.core.schemas.tracking import (
    EXCHANGED_TRACKS,
    IMARIS_TRACKS,
    SUSPICIOUS_EVENTS,
    TRACK_COLUMNS,
    TRACKS,
)

__all__ = [
    "AGREEMENT",
    "ATTRIBUTION",
    "ATTRIBUTION_CHANCE",
    "ATTRIBUTION_DENSITY",
    "CELLS",
    "CHANNEL_CORRELATION",
    "CHANNEL_PATTERNS",
    "COMPARISONS",
    "COMPETING_RISKS",
    "CONTACTS",
    "CONTACT_MOTION",
    "CONTACT_RATES",
    "CONTROL_THRESHOLD",
    "DEATHS",
    "DEATH_EVIDENCE",
    "DEFORMATION",
    "DELAYED_VIABILITY",
    "DENSITY",
    "DETECTIONS",
    "DRIFT",
    "EPISODES",
    "ET_DEPENDENCE",
    "ET_RATIO",
    "EXCHANGED_TRACKS",
    "EXPERIMENT_RESULT",
    "FEATURES",
    "FIRST_KILL",
    "FRAME",
    "FRAME_COUNTS",
    "FRAME_STATS",
    "HIT_MODEL",
    "IMARIS_TRACKS",
    "INTENSITY_RANGE",
    "KILLERS",
    "KILLING_CAPACITY",
    "KILLS",
    "KILL_DISTRIBUTION",
    "KINEMATICS",
    "LABEL",
    "LYSIS",
    "MOTION_FIT",
    "MSD",
    "NAME",
    "NEAREST",
    "NETWORK_METRICS",
    "NETWORK_MIXING",
    "OWN_COLUMNS",
    "PERSISTENCE",
    "PYCYTO_COLUMNS",
    "RATES",
    "RESIDUAL_MOTION",
    "RESULT",
    "REVIEW",
    "SELECTION",
    "SELECTION_STEPS",
    "SENSITIVITY",
    "SERIAL_KILLING",
    "SUPERPLOT",
    "SURVIVAL",
    "SUSPICIOUS_EVENTS",
    "TIME",
    "TRACK",
    "TRACKS",
    "TRACK_COLUMNS",
    "TRACK_SUMMARY",
    "VIABILITY",
]
