"""A simulated movie through the shipped nodes, and its results against its truth.

Images are registered and segmented once at the full frame rate; tabulation, tracking,
contacts and killing are done for any longer frame interval by leaving frames out.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import yaml

from _truth import Matches, match_movie, named, owner_of, score_links
from _truth_events import score_contacts, shown_cell
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.methods.killing.cohorts import gather_population
from cyto_kedro.methods.killing.survival import (
    kaplan_meier,
    restricted_mean,
    survival_at,
)
from cyto_kedro.pipelines.contacts.nodes import measure
from cyto_kedro.pipelines.contacts.params import ContactsParams
from cyto_kedro.pipelines.ingest.nodes import calibrate
from cyto_kedro.pipelines.ingest.params import IngestParams
from cyto_kedro.pipelines.killing.nodes import attribute_kills, viability
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.preprocessing import nodes as preprocessing
from cyto_kedro.pipelines.preprocessing.params import ChannelParams, RegistrationParams
from cyto_kedro.pipelines.segmentation.nodes import segment
from cyto_kedro.pipelines.segmentation.params import SegmentationParams
from cyto_kedro.pipelines.tabulation.nodes import tabulate
from cyto_kedro.pipelines.tabulation.params import TabulationParams
from cyto_kedro.pipelines.tracking.nodes import track
from cyto_kedro.pipelines.tracking.params import TrackingParams
from cyto_kedro.simulation import SimulatedMovie

REPOSITORY = Path(__file__).resolve().parents[1]
EFFECTOR, TARGET, DEATH = "tcell", "cancer", "death"
CHANNELS = (TARGET, EFFECTOR, DEATH)  # registration looks at the targets
RULES = ("nearest", "exclusive", "shared", "hazard")
#: A death that is found so near in time is that death (min), or within one frame.
TOLERANCE_MIN = 10.0
Row = dict[str, Any]


@cache
def shipped(category: str) -> Row:
    """Parameters of one category as they are shipped."""
    file = REPOSITORY / "conf/base" / f"parameters_{category}.yml"
    return dict(yaml.safe_load(file.read_text("utf-8"))[category])


class Chain:
    """Masks of both roles on registered images, and which true cell each one is."""

    def __init__(self, movie: SimulatedMovie) -> None:
        self.movie = movie
        raws = {name: _raw(movie, name) for name in CHANNELS}
        options = IngestParams(
            pixel_size_um=movie.params.pixel_size_um,
            frame_interval_min=movie.params.frame_interval_min,
        )
        self.clock = calibrate(options, list(raws.values()))
        prepare = shipped("preprocessing")
        moves = preprocessing.estimate_drift(
            self.clock,
            RegistrationParams.model_validate(prepare["registration"]),
            *raws.values(),
        )
        self.drift, deformation = moves
        self.images, self.masks, self.matches = {}, {}, {}
        for name, raw in raws.items():
            chosen = ChannelParams.model_validate(prepare["channels"][name])
            known = (raw, self.clock, *moves)
            spread = preprocessing.measure_intensity_range(*known, chosen)
            image = preprocessing.preprocess(*known, spread, chosen)
            self.images[name] = _computed(image)
        for role in (EFFECTOR, TARGET):
            chosen = SegmentationParams.model_validate(shipped("segmentation")[role])
            masks = _computed(segment(self.images[role], self.clock, chosen))
            truth = np.stack([movie.mask(role, t) for t in range(movie.shape[0])])
            self.masks[role] = masks
            self.matches[role] = match_movie(
                truth, masks.compute(), self.drift, deformation
            )

    def scores(self, step: int, horizon_min: float) -> Row:
        """All measures when only every ``step``-th frame had been taken."""
        clock = _thin_clock(self.clock, step)
        drift = _thin_rows(self.drift, step)
        images = [self.images[name][::step] for name in CHANNELS]
        masks = {role: self.masks[role][::step] for role in (EFFECTOR, TARGET)}
        matches = {role: _thin_matches(m, step) for role, m in self.matches.items()}
        tracks, points = {}, {}
        for role in (EFFECTOR, TARGET):
            cells, _ = tabulate(
                masks[role],
                clock,
                drift,
                TabulationParams.model_validate(shipped("tabulation")),
                *images,
                role=role,
                own_channel=role,
                channels=CHANNELS,
            )
            options = TrackingParams.model_validate(shipped("tracking")[role])
            tracks[role] = track(cells, masks[role], clock, options)
            points[role] = named(tracks[role], matches[role])
        contacts = measure(
            *masks.values(),
            *tracks.values(),
            clock,
            ContactsParams.model_validate(shipped("contacts")),
            effector=EFFECTOR,
            target=TARGET,
        )
        options = KillingParams.model_validate(shipped("killing"))
        watched = {"role": TARGET, "effector": False}
        channels = {"death_channel": DEATH, "live_channel": TARGET}
        _, deaths, evidence = viability(
            tracks[TARGET], clock, options, **watched, **channels
        )
        credit, killers, _ = attribute_kills(
            deaths,
            clock,
            options,
            tracks[TARGET],
            contacts,
            tracks[EFFECTOR],
            effectors=(EFFECTOR,),
            target=TARGET,
        )
        found: Row = {"minutes": clock.frame_interval_min}
        found |= _links(points, matches)
        found |= _contacts(contacts, self.movie, matches, step)
        matched, scored = _deaths(evidence, owner_of(points[TARGET]), self.movie, clock)
        found |= scored
        found |= _killers(credit, matched, self.movie, points[EFFECTOR], clock)
        found |= _populations(deaths, killers, credit, self.movie, horizon_min)
        return found


def signal_to_noise(movie: SimulatedMovie, channel: str = EFFECTOR) -> float:
    """(median of the masks - median of the background) / its standard deviation."""
    plane, inside = movie.frame(channel, 0).astype(float), movie.mask(channel, 0) > 0
    empty = plane[~inside]
    # Robust: light that spills over the edge of a mask is no noise.
    spread = 1.4826 * np.median(np.abs(empty - np.median(empty)))
    return float((np.median(plane[inside]) - np.median(empty)) / spread)


# -- input ----------------------------------------------------------------------------


def _raw(movie: SimulatedMovie, channel: str) -> RawChannel:
    return RawChannel(_computed(movie.stack(channel)), "simulated", channel=channel)


def _computed(stack: da.Array) -> da.Array:
    data = stack.compute(scheduler="synchronous")
    return da.from_array(data, chunks=(1, *data.shape[1:]))


def _thin_clock(clock: Calibration, step: int) -> Calibration:
    times, frames = clock.frame_times_min[::step], clock.source_frames[::step]
    kept = {"n_frames": len(times), "frame_times_min": times, "source_frames": frames}
    return Calibration.model_validate(clock.model_dump() | kept)


def _thin_rows(table: pd.DataFrame, step: int) -> pd.DataFrame:
    kept = table[table["frame"] % step == 0]
    return kept.assign(frame=kept["frame"] // step).reset_index(drop=True)


def _thin_matches(matches: Matches, step: int) -> Matches:
    pairs, truth = _thin_rows(matches.pairs, step), _thin_rows(matches.truth, step)
    return Matches(pairs, truth, matches.n_found)


# -- scores ---------------------------------------------------------------------------


def _links(points: dict[str, pd.DataFrame], matches: dict[str, Matches]) -> Row:
    """Links of T cells: right ones, those found, those that could be found."""
    rows = {
        r["measure"]: r for r in score_links("", points[EFFECTOR], matches[EFFECTOR])
    }
    right, both = rows["link precision"], rows["link recall, both ends detected"]
    return {
        "links_right": right["part"],
        "links_found": right["of"],
        "links_recalled": both["part"],
        "links_true": both["of"],
    }


def _contacts(
    contacts: pd.DataFrame,
    movie: SimulatedMovie,
    matches: dict[str, Matches],
    step: int,
) -> Row:
    truth = _thin_rows(movie.contacts, step)
    scored = score_contacts(contacts, truth, matches[EFFECTOR], matches[TARGET])
    rows = {row["measure"]: row for row in scored}
    return {
        "contact_hits": rows["contact precision"]["part"],
        "contacts_found": rows["contact precision"]["of"],
        "contacts_true": rows["contact recall"]["of"],
    }


def _deaths(
    evidence: pd.DataFrame, owner: pd.Series, movie: SimulatedMovie, clock: Calibration
) -> tuple[pd.DataFrame, Row]:
    """True deaths with the found death of that cell nearest in time."""
    found = evidence.assign(target_id=evidence["track_id"].map(owner))
    truth = movie.deaths.rename(columns={"death_frame": "true_frame"})
    pairs = truth.merge(found, on="target_id")
    pairs["late_frame"] = pairs["death_time_min"] - pairs["death_min"]
    pairs["late_fitted"] = (pairs["onset_min"] - pairs["death_min"]).fillna(
        pairs["late_frame"]
    )
    pairs["off"] = pairs[["late_frame", "late_fitted"]].abs().min(axis=1)
    near = pairs[pairs["off"] <= max(TOLERANCE_MIN, clock.frame_interval_min)]
    matched = near.sort_values(["target_id", "off"]).drop_duplicates("target_id")
    return matched, {
        "death_hits": len(matched),
        "deaths_found": len(evidence),
        "deaths_true": len(truth),
        "late_frame": matched["late_frame"].round(3).tolist(),
        "late_fitted": matched["late_fitted"].round(3).tolist(),
    }


def _killers(
    credit: pd.DataFrame,
    matched: pd.DataFrame,
    movie: SimulatedMovie,
    effectors: pd.DataFrame,
    clock: Calibration,
) -> Row:
    """Credit on the true killer, summed over true kills; a missed one names nobody.

    ``likeliest`` is the candidate with most hazard credit; ``blamed`` counts those whom
    full credit blames, of whom ``right`` are.
    """
    kills = matched[matched["cause"] == "killed"].drop(columns="death_frame")
    rows = kills.merge(credit, left_on="track_id", right_on="target_track_id")
    rows = rows.dropna(subset="effector")
    at = rows["hit_min"] / clock.frame_interval_min
    shown = [
        shown_cell(effectors, suspect, hit)
        for suspect, hit in zip(rows["effector_track_id"], at, strict=True)
    ]
    right = np.array(shown, dtype=float) == rows["effector_id"].to_numpy(float)
    top = rows.groupby("target_track_id")["credit_hazard"].transform("max")
    sums = {rule: float(rows[f"credit_{rule}"][right].sum()) for rule in RULES}
    return sums | {
        "kills": int((movie.deaths["cause"] == "killed").sum()),
        "lot": float((1.0 / rows["n_candidates"])[right].sum()),
        "likeliest": int((right & (top == rows["credit_hazard"])).sum()),
        "blamed": len(rows),
        "right": int(right.sum()),
    }


def _populations(
    deaths: pd.DataFrame,
    killers: pd.DataFrame,
    credit: pd.DataFrame,
    movie: SimulatedMovie,
    horizon_min: float,
) -> Row:
    """Survival and kill rates as a user gets them, beside those of the true cells."""
    survival, rmst = survival_of(deaths, horizon_min)
    true_survival, true_rmst = survival_of(true_fates(movie), horizon_min)
    seen = movie.tracks["role"] == movie.effector
    summed = {
        f"kills_{r}": killers[f"kills_{r}"].sum() for r in RULES if r != "exclusive"
    }
    return {
        "survival": survival,
        "survival_true": true_survival,
        "rmst": rmst,
        "rmst_true": true_rmst,
        "kills_full": len(credit.dropna(subset="effector")),
        "hours": float(killers["observed_min"].sum()) / 60,
        "hours_true": float(seen.sum()) * movie.params.frame_interval_min / 60,
        **{name: float(value) for name, value in summed.items()},
    }


def survival_of(deaths: pd.DataFrame, horizon_min: float) -> tuple[float, float]:
    """Kaplan-Meier survival and restricted mean (min) of one movie's table DEATHS."""
    sheet = pd.DataFrame({"dataset": ["d"], "movie": ["m"]})
    pool = gather_population({"m": deaths}, sheet)
    curve = kaplan_meier(pool.subjects[pool.at_risk])
    return survival_at(curve, horizon_min), restricted_mean(curve, horizon_min)[0]


def true_fates(movie: SimulatedMovie) -> pd.DataFrame:
    """What a perfect table DEATHS of the targets would say, at the exact times."""
    rows = movie.tracks[movie.tracks["role"] == movie.target].sort_values("frame")
    cell = rows.groupby("cell_id")
    table = pd.DataFrame(
        {
            "entry_min": cell["time_min"].first(),
            "exit_min": cell["time_min"].last(),
            "reason": np.where(cell["alive"].first(), "seen", "dead_at_entry"),
            "peak_signal": 1.0,
        }
    )
    died = movie.deaths.set_index("target_id")["death_min"]
    table["death_time_min"] = died.reindex(table.index)
    table["censored"] = table["death_time_min"].isna()
    return table.reset_index(names="track_id")
