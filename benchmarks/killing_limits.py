"""Where contacts, deaths and killers stop being found: simulated movies with truth.

One condition is varied at a time: T cells per target, light (a share of the photons of
everything, so that noise grows), and minutes between frames (frames of the same movie
left out). Masks come from the shipped segmentation; a mask is the true cell that it
matches at IoU >= 0.5, so that errors of tracking do not enter. No stage drift.

    python benchmarks/killing_limits.py [--seeds 41 42] [--figure docs/images/x.svg]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from _truth import match_movie  # noqa: E402
from cyto_kedro.core.calibration import Calibration  # noqa: E402
from cyto_kedro.core.schemas import DRIFT, TRACKS  # noqa: E402
from cyto_kedro.methods.contacts import limits_of, measure_contacts  # noqa: E402
from cyto_kedro.methods.tabulation.objects import find_objects  # noqa: E402
from cyto_kedro.pipelines.contacts.params import ContactsParams  # noqa: E402
from cyto_kedro.pipelines.killing.nodes import attribute_kills, viability  # noqa: E402
from cyto_kedro.pipelines.killing.params import KillingParams  # noqa: E402
from cyto_kedro.pipelines.segmentation.nodes import segment  # noqa: E402
from cyto_kedro.pipelines.segmentation.params import SegmentationParams  # noqa: E402
from cyto_kedro.simulation import SimulatedMovie, SimulationParams, simulate  # noqa: E402
from cyto_kedro.simulation.params import OpticsParams, StageParams  # noqa: E402

EFFECTOR, TARGET = "tcell", "cancer"
DENSITIES, LIGHT, STEPS = (10, 26, 52, 78), (1.0, 0.3, 0.1, 0.05), (1, 2, 4, 8)
USUAL = 26
DEATH_TOLERANCE_MIN = 10.0
RULES = ("nearest", "exclusive", "shared", "hazard")


def make_movie(seed: int, n_effectors: int, light: float) -> SimulatedMovie:
    """The bundled example's movie with another density or less light."""
    usual = OpticsParams()
    dimmer = {
        name: light * getattr(usual, name)
        for name in (
            "effector_photons",
            "target_photons",
            "dye_photons",
            "background_photons",
        )
    }
    still = StageParams(drift_um=0.0, jump_um=0.0)
    optics = usual.model_copy(update=dimmer)
    return simulate(
        SimulationParams(seed=seed, n_effectors=n_effectors, optics=optics, stage=still)
    )


class Analysed:
    """Masks of both roles, named by truth, and the death marker inside the targets."""

    def __init__(self, movie: SimulatedMovie) -> None:
        self.movie = movie
        p = movie.params
        self.clock = Calibration.regular(
            movie.shape, p.pixel_size_um, p.frame_interval_min
        )
        chosen = yaml.safe_load(
            (REPOSITORY / "conf/base/parameters_segmentation.yml").read_text("utf-8")
        )["segmentation"]
        self.masks, self.matches, self.cells = {}, {}, {}
        for role in (EFFECTOR, TARGET):
            options = SegmentationParams.model_validate(chosen[role])
            found = segment(movie.stack(role), self.clock, options)
            self.masks[role] = found.compute(scheduler="synchronous")
            truth = np.stack([movie.mask(role, t) for t in range(movie.shape[0])])
            self.matches[role] = match_movie(truth, self.masks[role], still(self.clock))
            self.cells[role] = self._tracks(role)

    def _tracks(self, role: str) -> pd.DataFrame:
        """TRACKS of the matched masks: the track is the true cell."""
        rows = []
        for t in range(self.movie.shape[0]):
            plane = self.masks[role][t]
            cells = find_objects(plane)
            table = pd.DataFrame({"frame": t, "label": cells.ids.astype(np.int64)})
            centre = cells.centroids_px() * self.clock.spacing_um
            table["y_um"], table["x_um"] = centre.T
            table["area_um2"] = cells.area_px * self.clock.pixel_area_um2
            for channel in ("death", role):
                image = self.movie.frame(channel, t).astype(np.float64)
                total = np.bincount(plane.ravel(), weights=image.ravel())
                table[f"mean_{channel}"] = total[cells.ids] / cells.area_px
                table[f"background_{channel}"] = np.median(image[plane == 0])
            rows.append(table)
        named = pd.concat(rows).merge(self.matches[role].pairs, on=["frame", "label"])
        named = named.rename(columns={"cell_id": "track_id"})
        return as_tracks(named, self.clock)

    def scores(self, step: int) -> dict[str, float]:
        """All measures when only every ``step``-th frame had been taken."""
        frames = np.arange(0, self.movie.shape[0], step)
        p = self.movie.params
        shape = (len(frames), *self.movie.shape[1:])
        clock = Calibration.regular(shape, p.pixel_size_um, p.frame_interval_min * step)
        kept = {role: thinned(t, step, clock) for role, t in self.cells.items()}
        limits = limits_of(ContactsParams().rule, clock.spacing_um)
        contacts = measure_contacts(
            self.masks[EFFECTOR][::step],
            self.masks[TARGET][::step],
            kept[EFFECTOR],
            kept[TARGET],
            clock,
            limits,
            effector=EFFECTOR,
            target=TARGET,
        )
        _, deaths, evidence = viability(
            kept[TARGET],
            clock,
            KillingParams(),
            role=TARGET,
            effector=False,
            death_channel="death",
            live_channel=TARGET,
        )
        credit, _, _ = attribute_kills(
            deaths,
            clock,
            KillingParams(),
            contacts,
            kept[EFFECTOR],
            effectors=(EFFECTOR,),
            target=TARGET,
        )
        found = {"minutes": clock.frame_interval_min}
        found |= contact_scores(contacts, self.movie.contacts, step)
        found |= death_scores(evidence, self.movie.deaths)
        return found | killer_scores(credit, evidence, self.movie.deaths)


def still(clock: Calibration) -> pd.DataFrame:
    """Table DRIFT of a movie that does not move."""
    table = dict.fromkeys(DRIFT.columns, 0)
    table |= {"valid_y1": clock.height_px, "valid_x1": clock.width_px}
    return pd.DataFrame(table | {"frame": np.arange(clock.n_frames)})


def as_tracks(rows: pd.DataFrame, clock: Calibration) -> pd.DataFrame:
    """A TRACKS table with what contacts and killing do not use left blank."""
    blank = {"float64": np.nan, "Int64": pd.NA, "boolean": pd.NA, "object": ""}
    table = rows.copy()
    table["time_min"] = clock.times_min[table["frame"]]
    table["in_valid_region"] = True
    for name, col in TRACKS.columns.items():
        if name not in table:
            table[name] = blank.get(col.dtype, 0)
    return TRACKS.conform(table)


def thinned(tracks: pd.DataFrame, step: int, clock: Calibration) -> pd.DataFrame:
    """Every ``step``-th frame, numbered anew."""
    rows = tracks[tracks["frame"] % step == 0]
    return as_tracks(rows.assign(frame=rows["frame"] // step), clock)


def contact_scores(
    contacts: pd.DataFrame, truth: pd.DataFrame, step: int
) -> dict[str, float]:
    """Pairs and frames in contact; a pair of unmatched cells is a false contact."""
    keys = ["frame", "effector_id", "target_id"]
    names = {"effector_track_id": "effector_id", "target_track_id": "target_id"}
    found = contacts[contacts["in_contact"]].rename(columns=names)[keys]
    true = truth.loc[truth["frame"] % step == 0, keys]
    true = true.assign(frame=true["frame"] // step)
    hits = len(found.dropna().astype(np.int64).merge(true, on=keys))
    return {
        "contact_hits": hits,
        "contacts_found": len(found),
        "contacts_true": len(true),
    }


def death_scores(evidence: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Deaths on the right cell within 10 min or a frame, and errors of their times."""
    both = truth.merge(evidence, left_on="target_id", right_on="track_id")
    seen = (both["death_time_min"] - both["death_min"]).abs()
    fitted = (both["onset_min"] - both["death_min"]).abs()
    # Frames further apart cannot tell better.
    hit = np.fmin(seen, fitted.fillna(np.inf)) <= DEATH_TOLERANCE_MIN
    return {
        "death_hits": int(hit.sum()),
        "deaths_found": len(evidence),
        "deaths_true": len(truth),
        "late_first_frame": float(seen[hit].sum()),
        "late_fitted": float(fitted[hit].fillna(seen[hit]).sum()),
    }


def killer_scores(
    credit: pd.DataFrame, evidence: pd.DataFrame, truth: pd.DataFrame
) -> dict[str, float]:
    """Credit on the true killer, summed over kills; a missed death names nobody.

    ``likeliest`` names the candidate with most hazard credit; ``every_toucher`` counts
    those that full credit would blame, of whom one is right.
    """
    killer = truth.dropna(subset="effector_id").set_index("target_id")["effector_id"]
    rows = credit[credit["target_track_id"].isin(killer.index)]
    rows = rows.dropna(subset="effector")
    true = killer.reindex(rows["target_track_id"]).to_numpy()
    right = rows["effector_track_id"].to_numpy(float) == true.astype(float)
    top = rows.groupby("target_track_id")["credit_hazard"].transform("max")
    likeliest = (top == rows["credit_hazard"]).to_numpy() & right
    sums = {rule: float(rows[f"credit_{rule}"][right].sum()) for rule in RULES}
    by_lot = float((1.0 / rows["n_candidates"])[right].sum())
    counts = {"kills": len(killer), "blamed": len(rows), "right": int(right.sum())}
    return sums | counts | {"lot": by_lot, "likeliest": int(likeliest.sum())}


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Measures of all movies of one condition."""
    n = rows.drop(columns=["axis", "value", "seed", "minutes"]).sum()

    def share(part: float, whole: float) -> float:
        return part / whole if whole else float("nan")

    return {
        "contact precision": share(n["contact_hits"], n["contacts_found"]),
        "contact recall": share(n["contact_hits"], n["contacts_true"]),
        "death precision": share(n["death_hits"], n["deaths_found"]),
        "death recall": share(n["death_hits"], n["deaths_true"]),
        "death off, fitted (min)": share(n["late_fitted"], n["death_hits"]),
        "death off, frame (min)": share(n["late_first_frame"], n["death_hits"]),
        "likeliest (hit model)": share(n["likeliest"], n["kills"]),
        "hazard credit": share(n["hazard"], n["kills"]),
        "shared credit": share(n["shared"], n["kills"]),
        "nearest": share(n["nearest"], n["kills"]),
        "by lot": share(n["lot"], n["kills"]),
        "full credit, right": share(n["right"], n["blamed"]),
        "kills": n["kills"],
    }


def measure(seeds: list[int]) -> pd.DataFrame:
    """One row per axis, value and seed."""
    rows = []
    settings = [("T cells", n, n, 1.0) for n in DENSITIES]
    settings += [("light", x, USUAL, x) for x in LIGHT if x != 1]
    for axis, value, n_effectors, light in settings:
        for seed in seeds:
            analysed = Analysed(make_movie(seed, n_effectors, light))
            usual = axis == "T cells" and value == USUAL
            for step in STEPS if usual else (1,):
                found = {"seed": seed, **analysed.scores(step)}
                if step == 1:
                    rows.append({"axis": axis, "value": value, **found})
                if usual and step == 1:
                    rows.append({"axis": "light", "value": 1.0, **found})
                if usual:
                    minutes = found["minutes"]
                    rows.append({"axis": "interval", "value": minutes, **found})
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, path: Path) -> None:
    """One column per axis: contacts, deaths, killers."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    panels = {
        "share": [
            ("contact precision", "#0072b2", "-"),
            ("contact recall", "#0072b2", "--"),
            ("death precision", "#d55e00", "-"),
            ("death recall", "#d55e00", "--"),
        ],
        "minutes off": [
            ("death off, fitted (min)", "#d55e00", "-"),
            ("death off, frame (min)", "#d55e00", ":"),
        ],
        "credit on the true killer": [
            ("likeliest (hit model)", "#009e73", "-"),
            ("hazard credit", "#009e73", "--"),
            ("shared credit", "#cc79a7", "-"),
            ("nearest", "#555555", "-"),
            ("by lot", "#555555", ":"),
            ("full credit, right", "#e69f00", "-."),
        ],
    }
    names = {
        "T cells": "T cells per 30 targets",
        "light": "share of the light",
        "interval": "minutes between frames",
    }
    figure, axes = plt.subplots(3, 3, figsize=(11, 9), sharey="row")
    for column, (axis, label) in enumerate(names.items()):
        rows = table[table["axis"] == axis].sort_values("value")
        for row, (title, lines) in enumerate(panels.items()):
            plot = axes[row, column]
            for name, colour, style in lines:
                plot.plot(
                    rows["value"], rows[name], style, color=colour, marker="o",
                    markersize=4, label=name,
                )  # fmt: skip
            plot.set_xscale("log")
            plot.set_xticks(rows["value"], [f"{v:g}" for v in rows["value"]])
            plot.minorticks_off()
            plot.grid(alpha=0.3)
            if row != 1:
                plot.set_ylim(0, 1.03)
            if row == 2:
                plot.set_xlabel(label)
            if column == 0:
                plot.set_ylabel(title)
            if column == 2:
                plot.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[41, 42])
    parser.add_argument("--figure", type=Path, help="SVG or PNG to write")
    asked = parser.parse_args()
    rows = measure(asked.seeds)
    groups = rows.groupby(["axis", "value"], sort=False)
    table = pd.DataFrame(
        [{"axis": a, "value": v, **summary(part)} for (a, v), part in groups]
    )
    print(table.round(3).to_string(index=False))
    if asked.figure:
        draw(table, asked.figure)


if __name__ == "__main__":
    main()
