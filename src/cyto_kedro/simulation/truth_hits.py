"""The truth of who hit whom, and who could: beside what is seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.core.table import Col, TableSpec
from cyto_kedro.simulation.killing import Hit

if TYPE_CHECKING:
    from cyto_kedro.simulation.movie import SimulatedMovie

_ID = Col("int64", "", "id of the cell in all frames and in the masks", ge=1)

HITS = TableSpec(
    "truth_hits",
    {
        "target_id": _ID,
        "effector_id": _ID,
        "hit_frame": Col("int64", "frame", "first frame after the hit", ge=1),
        "hit_min": Col("float64", "min", "time of the hit", ge=0),
        "lethal": Col("bool", "", "enough to kill, with the hits before it"),
    },
)
EFFECTORS = TableSpec(
    "truth_effectors",
    {
        "effector_id": _ID,
        "effector_class": Col("object", "", "name of its class"),
        "potency": Col("float64", "", "factor of its chance or rate of a hit", ge=0),
        "n_hits": Col("int64", "", "hits that it gave to living targets", ge=0),
        "n_kills": Col("int64", "", "targets that died of its hit in view", ge=0),
    },
    unique=("effector_id",),
)


def hits(movie: SimulatedMovie) -> pd.DataFrame:
    """Table HITS."""
    given = pd.DataFrame(movie.history.hits, columns=Hit._fields)
    table = pd.DataFrame(
        {
            "target_id": given["target"] + 1,
            "effector_id": given["effector"] + 1,
            "hit_frame": np.ceil(
                given["time_min"].astype(float) / movie.params.frame_interval_min
            ),
            "hit_min": given["time_min"],
            "lethal": given["lethal"],
        }
    )
    return HITS.conform(table)


def effectors(movie: SimulatedMovie) -> pd.DataFrame:
    """Table EFFECTORS: all that were ever in view."""
    crew = movie.history.crew
    names = np.array([c.name for c in movie.params.killing.classes], dtype=object)
    table = pd.DataFrame(
        {
            "effector_id": np.arange(1, len(crew) + 1),
            "effector_class": names[crew.kind],
            "potency": crew.potency,
        }
    )
    for column, events in (("n_hits", movie.hits), ("n_kills", movie.deaths)):
        number = events["effector_id"].dropna().astype(np.int64).value_counts()
        table[column] = table["effector_id"].map(number).fillna(0)
    seen = movie.tracks.loc[movie.tracks["role"] == movie.effector, "cell_id"]
    in_view = table["effector_id"].isin(seen)
    return EFFECTORS.conform(table[in_view]).reset_index(drop=True)
