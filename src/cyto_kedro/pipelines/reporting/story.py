"""What the report says: the run's results put into words, facts and pictures."""

from __future__ import annotations

import io
import math
from typing import Any

import pandas as pd
import yaml

from cyto_kedro.pipelines.reporting.comparison import survival_curves
from cyto_kedro.pipelines.reporting.page import MovieSection, Page, Picture
from cyto_kedro.pipelines.reporting.params import ReportingParams

# Order, alternative text and width of a movie's figures.
_CAPTIONS = {
    "strip": (
        "Frames of the movie with outlines of all cells and the tails of their tracks",
        True,
    ),
    "counts": ("Number of cells in view over time", False),
    "speeds": ("Distribution of step speeds", False),
    "death_signals": ("Death signal of each target; dying cells in colour", False),
    "dwell_times": ("Distribution of contact dwell times", False),
    "contact_raster": ("Contacts of each target over time; crosses are deaths", False),
    "paths": ("Paths of all cells from a common origin", False),
    "quality": ("Drift correction, brightness and focus over the movie", True),
}

_FILES = [
    ("experiment_results.csv", "one row per cell per frame, all movies, conditions"),
    ("<movie>/result_table.csv", "one row per cell per frame"),
    ("<movie>/*_deaths.csv", "fate of every target"),
    ("<movie>/*_attribution.csv", "who may have killed whom, with credits"),
    ("<movie>/*_contact_episodes.csv", "contacts with dwell time"),
    ("survival.csv", "the survival curves"),
    ("data_dictionary.csv", "unit and meaning of every column"),
    ("<movie>/figures/", "every figure as PNG and SVG"),
    ("provenance_manifest.json", "hash of every input and output"),
]


def compose_page(
    options: ReportingParams,
    run: dict[str, Any],
    conditions: pd.DataFrame,
    summaries: dict[str, dict[str, Any]],
    figures: dict[str, dict[str, dict[str, bytes]]],
    survival: pd.DataFrame | None,
    comparison: dict[str, Any] | None,
) -> Page:
    """Everything that the page shows.

    Args:
        options: Title and the like.
        run: Content of ``run_metadata.json``.
        conditions: The experiment sheet.
        summaries: Summary of each movie.
        figures: Figures of each movie by name and format.
        survival: Table SURVIVAL, if there is a death marker.
        comparison: Comparison of the conditions, per target role.
    """
    by_movie = conditions.set_index("movie")
    columns, rows = _overview(by_movie, summaries)
    return Page(
        title=options.title,
        run=run,
        headline=_headline(summaries, comparison),
        failures=[
            (m["movie"], m.get("error") or "failed")
            for m in run["movies"]
            if m["status"] == "failed"
        ],
        overview_columns=columns,
        overview_rows=rows,
        pictures=_survival_pictures(survival, comparison),
        comparison=_comparison_facts(comparison),
        statements=_statements(comparison),
        movies=[
            MovieSection(
                movie=movie,
                conditions=_shown(by_movie.loc[movie].to_dict()),
                facts=movie_facts(summary),
                warnings=list(summary["warnings"]),
                pictures=_movie_pictures(movie, figures.get(movie, {})),
            )
            for movie, summary in summaries.items()
        ],
        methods=_methods(run),
        parameters=yaml.safe_dump(run["parameters"], sort_keys=False),
        files=_FILES,
    )


def _headline(
    summaries: dict[str, dict[str, Any]], comparison: dict[str, Any] | None
) -> list[str]:
    frames = sum(s["n_frames"] for s in summaries.values())
    lines = [f"{_plural(len(summaries), 'movie')}, {frames} frames in all."]
    tracks = {
        role: sum(s["roles"][role]["n_tracks"] for s in summaries.values())
        for role in _roles(summaries)
    }
    lines.append(
        "Followed "
        + ", ".join(f"{n} {role} tracks" for role, n in tracks.items())
        + "."
    )
    for role, found in (comparison or {}).get("roles", {}).items():
        groups = [g for g in found["groups"] if g["level"] != "movie"]
        parts = [
            f"{g['n_deaths']} of {g['n_at_risk']} died in {g['group']}"
            for g in groups or found["groups"]
        ]
        if parts:
            lines.append(f"{role}: " + "; ".join(parts) + ".")
        lysis = [
            f"{g['specific_lysis_percent']:.0f} % specific lysis in {g['group']}"
            for g in groups
            if g["specific_lysis_percent"] and g["specific_lysis_percent"] > 0
        ]
        if lysis:
            lines.append("; ".join(lysis) + ".")
    return lines


def _overview(
    by_movie: pd.DataFrame, summaries: dict[str, dict[str, Any]]
) -> tuple[list[str], list[list[str]]]:
    names = [c for c in by_movie.columns if c != "dataset"]
    roles = _roles(summaries)
    columns = ["movie", *map(str, names), "frames", *roles, "warnings"]
    rows = []
    for movie, summary in summaries.items():
        values = [_text(by_movie.loc[movie, name]) for name in names]
        tracks = [f"{summary['roles'][r]['n_tracks']} tracks" for r in roles]
        warnings = str(len(summary["warnings"]) or "none")
        rows.append([movie, *values, str(summary["n_frames"]), *tracks, warnings])
    return columns, rows


def movie_facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures of one movie, as name and value."""
    facts = [
        ("frames", str(summary["n_frames"])),
        ("duration", f"{_text(summary['duration_min'])} min"),
        ("largest drift", f"{_text(summary['drift_max_um'])} µm"),
    ]
    for role, found in summary["roles"].items():
        facts.append((f"{role} tracks", str(found["n_tracks"])))
        if found.get("n_divisions"):
            facts.append((f"{role} divisions", str(found["n_divisions"])))
        speed = found.get("median_speed_um_per_min")
        facts.append((f"{role} median speed", f"{_text(speed)} µm/min"))
    for role, kinds in summary["suspicious"].items():
        if kinds:
            text = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
            facts.append((f"{role} tracks to look at", text))
    for role, found in summary["deaths"].items():
        facts.append((f"{role} deaths", f"{found['n_deaths']} of {found['n_at_risk']}"))
    for pair, found in summary["contacts"].items():
        name = pair.replace("_", "–")
        facts.append((f"{name} contacts", str(found["n_episodes"])))
        dwell = found.get("median_dwell_min")
        facts.append((f"{name} median dwell", f"{_text(dwell)} min"))
    return facts


def _survival_pictures(
    survival: pd.DataFrame | None, comparison: dict[str, Any] | None
) -> list[Picture]:
    if survival is None or survival.empty or comparison is None:
        return []
    pictures = []
    for role, found in comparison["roles"].items():
        levels = {g["level"] for g in found["groups"]} - {"movie"}
        chosen = [g for g in found["groups"] if not levels or g["level"] in levels]
        drawn = survival_curves(survival, [g["group"] for g in chosen], role)
        stream = io.BytesIO()
        drawn.savefig(stream, format="svg", metadata={"Date": None})
        deaths = ", ".join(
            f"{_plural(g['n_deaths'], 'death')} in {g['group']}" for g in chosen
        )
        alt = f"Kaplan-Meier survival of {role} cells with 95 % bands: {deaths}"
        pictures.append(
            Picture(f"survival_{role}", alt, stream.getvalue(), "svg", True)
        )
    return pictures


def _comparison_facts(comparison: dict[str, Any] | None) -> list[tuple[str, str]]:
    if comparison is None:
        return []
    facts: list[tuple[str, str]] = []
    for role, found in comparison["roles"].items():
        horizon = _text(found["horizon_min"])
        for group in found["groups"]:
            if group["level"] == "movie":
                continue
            name = f"{role}, {group['group']}"
            alive = group["survival_at_horizon"]
            facts.append((f"{name}: alive at {horizon} min", _percent(alive)))
            mean = _text(group["rmst_min"])
            facts.append((f"{name}: mean survival to then", f"{mean} min"))
            if group["specific_lysis_percent"] is not None:
                lysis = f"{group['specific_lysis_percent']:.0f} %"
                facts.append((f"{name}: specific lysis", lysis))
        if found["test"] is not None:
            test = found["test"]
            facts.append((f"{role}: log-rank over cells", _p(test["p_cells"])))
            facts.append((f"{role}: permuting movies", _p(test["p_movies"])))
    return facts


def _statements(comparison: dict[str, Any] | None) -> list[str]:
    """What the numbers rest on, and what could not be compared."""
    if comparison is None:
        return []
    return [f["statement"] for f in comparison["roles"].values()] + comparison["notes"]


def _movie_pictures(movie: str, figures: dict[str, dict[str, bytes]]) -> list[Picture]:
    pictures = []
    for name, (caption, wide) in _CAPTIONS.items():
        formats = figures.get(name)
        if formats is None:
            continue
        # Vector graphics stay sharp and small, unless they hold an image.
        kind = "svg" if "svg" in formats and name not in ("strip", "paths") else "png"
        alt = f"{movie}: {caption}"
        pictures.append(Picture(name, alt, formats[kind], kind, wide))
    return pictures


def _methods(run: dict[str, Any]) -> list[str]:
    version = run["packages"].get("cyto-kedro", "")
    used = run["parameters"]
    segmenters = sorted(_method_names(used.get("segmentation", {})))
    trackers = sorted(_method_names(used.get("tracking", {})))
    texts = [
        f"Movies were analysed with cyto_kedro {version}: stage drift was corrected, "
        f"cells were segmented in each frame ({', '.join(segmenters)}), measured, and "
        f"linked over time ({', '.join(trackers)}: linear assignment with gap closing "
        "and splitting; Jaqaman et al. 2008, doi:10.1038/nmeth.1237). Contacts are "
        "least distances between mask pixels, with hysteresis and merged gaps.",
    ]
    if "killing" in used:
        texts.append(
            "A target died when its background-subtracted death signal crossed the "
            "threshold and stayed above it; losing a track is never death. Survival is "
            "the Kaplan-Meier estimate with delayed entry, Greenwood variance and "
            "log-log bands. A death is credited to effectors in contact within the "
            "window before it; the credits of one death sum to one, and deaths without "
            "a candidate stay unattributed."
        )
    return texts


def _method_names(section: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(section, dict):
        method = section.get("method")
        if isinstance(method, dict) and "name" in method:
            found.add(str(method["name"]))
        for value in section.values():
            found |= _method_names(value)
    return found


def _roles(summaries: dict[str, dict[str, Any]]) -> list[str]:
    names: dict[str, None] = {}
    for summary in summaries.values():
        names |= dict.fromkeys(summary["roles"])
    return list(names)


def _shown(values: dict[Any, Any]) -> dict[str, str]:
    return {str(k): _text(v) for k, v in values.items() if not _undefined(v)}


def _undefined(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _text(value: Any) -> str:
    if _undefined(value):
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _p(value: float | None) -> str:
    if value is None:
        return "not defined"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
