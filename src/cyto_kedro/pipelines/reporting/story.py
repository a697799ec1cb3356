"""What the report says: the run's results put into words, facts and pictures."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import yaml

from cyto_kedro.pipelines.reporting.methods_text import methods_text, references
from cyto_kedro.pipelines.reporting.movie_story import (
    MovieData,
    movie_blocks,
    movie_facts,
)
from cyto_kedro.pipelines.reporting.page import (
    Block,
    Download,
    HtmlTable,
    MovieSection,
    Page,
    Picture,
)
from cyto_kedro.pipelines.reporting.params import ReportingParams
from cyto_kedro.pipelines.reporting.wording import (
    p_value,
    percent,
    plural,
    shown,
    text_of,
)

_FILES = [
    ("experiment_results.csv", "one row per cell per frame, all movies, conditions"),
    ("<movie>/result_table.csv", "one row per cell per frame"),
    ("<movie>/kills.csv", "every death with its likeliest killer"),
    ("<movie>/evidence/", "an evidence card (SVG) per death"),
    ("<movie>/*_deaths.csv", "fate of every target"),
    ("<movie>/*_attribution.csv", "who may have killed whom, with credits"),
    ("<movie>/*_contact_episodes.csv", "contacts with dwell time"),
    ("survival.csv", "the survival curves"),
    ("data_dictionary.csv", "unit and meaning of every column"),
    ("figures/, <movie>/figures/", "every figure as PNG and SVG"),
    ("figure_data/, <movie>/figure_data/", "the numbers behind each figure"),
    ("provenance_manifest.json", "hash of every input and output"),
]
# Order, alternative text of the experiment's figures; <name>_<role>.
_FIGURES = {
    "survival": "Kaplan-Meier survival of {role} cells with bands and cells at risk",
    "superplot": "{role}: cells (small dots) and means of movies (large) by group",
}


@dataclass(frozen=True)
class RunData:
    """What a run left, movie by movie where it says so.

    Attributes:
        run: Content of ``run_metadata.json``.
        conditions: The experiment sheet.
        summaries: Summary of each movie.
        figures: Figures of each movie by name and format.
        tables: CSV text behind them, of each movie by name.
        experiment_figures: Figures of the experiment by name and format.
        experiment_tables: CSV text behind them.
        comparison: Comparison of the conditions, per target role.
        kills: Table KILLS of each movie.
        cards: Evidence cards of each movie as SVG by name.
    """

    run: dict[str, Any]
    conditions: pd.DataFrame
    summaries: dict[str, dict[str, Any]]
    figures: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    experiment_figures: dict[str, dict[str, bytes]] = field(default_factory=dict)
    experiment_tables: dict[str, str] = field(default_factory=dict)
    comparison: dict[str, Any] | None = None
    kills: dict[str, pd.DataFrame] = field(default_factory=dict)
    cards: dict[str, dict[str, str]] = field(default_factory=dict)


def compose_page(options: ReportingParams, data: RunData) -> Page:
    """Everything that the page shows.

    Args:
        options: Title, and how much is shown.
        data: What the run left.
    """
    run, summaries = data.run, data.summaries
    by_movie = data.conditions.set_index("movie")
    in_full = list(summaries)[: options.most_movies]
    return Page(
        title=options.title,
        run=run,
        headline=_headline(summaries, data.comparison),
        failures=[
            (m["movie"], m.get("error") or "failed")
            for m in run["movies"]
            if m["status"] == "failed"
        ],
        warnings=[(m, text) for m, s in summaries.items() for text in s["warnings"]],
        overview=_overview(by_movie, summaries),
        blocks=_experiment_blocks(data),
        movies=[
            MovieSection(
                movie=movie,
                conditions=shown(by_movie.loc[movie].to_dict()),
                facts=movie_facts(summaries[movie]),
                warnings=list(summaries[movie]["warnings"]),
                blocks=movie_blocks(
                    movie, _of_movie(movie, data), options.cards.in_report
                ),
            )
            for movie in in_full
        ],
        methods=methods_text(run),
        references=references(run),
        parameters=yaml.safe_dump(run["parameters"], sort_keys=False),
        left_out=_left_out(len(in_full), len(summaries)),
        files=_FILES,
    )


def _of_movie(movie: str, data: RunData) -> MovieData:
    tables = data.tables.get(movie, {})
    start = "notes_"
    return MovieData(
        figures=data.figures.get(movie, {}),
        tables=tables,
        kills=data.kills.get(movie),
        cards=data.cards.get(movie, {}),
        notes={
            name[len(start) :]: [r[0] for r in csv.reader(io.StringIO(text))][1:]
            for name, text in tables.items()
            if name.startswith(start)
        },
    )


def _left_out(in_full: int, count: int) -> str:
    if in_full == count:
        return ""
    return (
        f"The first {in_full} of {count} movies are shown in full; figures, tables and "
        "evidence cards of the others lie in their folders."
    )


def _experiment_blocks(data: RunData) -> list[Block]:
    """Survival and what else compares the movies, those without content left out."""
    comparison = data.comparison or {"roles": {}, "notes": []}
    survival = Block(
        "Survival of the targets",
        texts=[f["statement"] for f in comparison["roles"].values()]
        + list(comparison["notes"]),
        facts=_comparison_facts(data.comparison),
        pictures=_experiment_pictures("survival", data),
    )
    plots = Block(
        "Cells and replicates",
        texts=[
            "A replicate is a movie. Test the means of replicates, which each figure's "
            "CSV holds; cells of one movie are not independent."
        ],
        pictures=_experiment_pictures("superplot", data),
    )
    return [block for block in (survival, plots) if block.pictures]


def _experiment_pictures(stem: str, data: RunData) -> list[Picture]:
    pictures = []
    for name, formats in data.experiment_figures.items():
        if not name.startswith(f"{stem}_"):
            continue
        role = name[len(stem) + 1 :]
        tables = tuple(
            Download.csv(key, text, f"CSV {key.removeprefix(name)[1:] or role}")
            for key, text in data.experiment_tables.items()
            if key.startswith(f"{name}_")
        )
        shown = role.replace("_", " of ")
        alt = _FIGURES[stem].format(role=shown) + _deaths_by_group(data, role) + "."
        wide = stem == "survival" or "tracks" in role
        pictures.append(Picture(name, alt, formats["svg"], "svg", wide, tables))
    return pictures


def _deaths_by_group(data: RunData, role: str) -> str:
    found = (data.comparison or {"roles": {}})["roles"].get(role)
    if found is None:
        return ""
    parts = [
        f"{plural(g['n_deaths'], 'death')} in {g['group']}"
        for g in found["groups"]
        if g["level"] != "movie"
    ]
    return f": {', '.join(parts)}" if parts else ""


def _headline(
    summaries: dict[str, dict[str, Any]], comparison: dict[str, Any] | None
) -> list[str]:
    frames = sum(s["n_frames"] for s in summaries.values())
    lines = [f"{plural(len(summaries), 'movie')}, {frames} frames in all."]
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
) -> HtmlTable:
    names = [c for c in by_movie.columns if c != "dataset"]
    roles = _roles(summaries)
    columns = ["movie", *map(str, names), "frames", *roles, "deaths", "warnings"]
    rows = []
    for movie, summary in summaries.items():
        values = [text_of(by_movie.loc[movie, name]) for name in names]
        tracks = [f"{summary['roles'][r]['n_tracks']} tracks" for r in roles]
        died = [str(found["n_deaths"]) for found in summary["deaths"].values()]
        warnings = str(len(summary["warnings"]) or "none")
        frames = str(summary["n_frames"])
        rows.append([movie, *values, frames, *tracks, ", ".join(died) or "–", warnings])
    text = pd.DataFrame(rows, columns=columns).to_csv(index=False)
    return HtmlTable("All movies", columns, rows, (Download.csv("movies", text),))


def _comparison_facts(comparison: dict[str, Any] | None) -> list[tuple[str, str]]:
    if comparison is None:
        return []
    facts: list[tuple[str, str]] = []
    for role, found in comparison["roles"].items():
        horizon = text_of(found["horizon_min"])
        for group in found["groups"]:
            if group["level"] == "movie":
                continue
            name = f"{role}, {group['group']}"
            alive = group["survival_at_horizon"]
            facts.append((f"{name}: alive at {horizon} min", percent(alive)))
            mean = text_of(group["rmst_min"])
            facts.append((f"{name}: mean survival to then", f"{mean} min"))
            if group["specific_lysis_percent"] is not None:
                lysis = f"{group['specific_lysis_percent']:.0f} %"
                facts.append((f"{name}: specific lysis", lysis))
        if found["test"] is not None:
            test = found["test"]
            facts.append((f"{role}: log-rank over cells", p_value(test["p_cells"])))
            facts.append((f"{role}: permuting movies", p_value(test["p_movies"])))
    return facts


def _roles(summaries: dict[str, dict[str, Any]]) -> list[str]:
    names: dict[str, None] = {}
    for summary in summaries.values():
        names |= dict.fromkeys(summary["roles"])
    return list(names)
