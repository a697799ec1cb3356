"""What the report says: the run's results put into words, facts and pictures."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

import pandas as pd
import yaml

from cyto_kedro.methods.killing.controls import is_true
from cyto_kedro.methods.results.quality import none_found
from cyto_kedro.pipelines.reporting.experiment_story import RunData, experiment_blocks
from cyto_kedro.pipelines.reporting.methods_text import methods_text, references
from cyto_kedro.pipelines.reporting.movie_story import (
    MovieData,
    movie_blocks,
    movie_facts,
)
from cyto_kedro.pipelines.reporting.page import (
    Download,
    HtmlTable,
    MovieSection,
    Page,
)
from cyto_kedro.pipelines.reporting.params import ReportingParams
from cyto_kedro.pipelines.reporting.wording import plural, shown, text_of

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


def compose_page(options: ReportingParams, data: RunData) -> Page:
    """Everything that the page shows.

    Args:
        options: Title, and how much is shown.
        data: What the run left.
    """
    run, summaries = data.run, data.summaries
    by_movie = data.conditions.set_index("movie")
    in_full = list(summaries)[: options.most_movies]
    warnings = _warnings(data)
    warned = Counter(movie for movie, _ in warnings)
    return Page(
        title=options.title,
        run=run,
        headline=_headline(data),
        failures=[
            (m["movie"], m.get("error") or "failed")
            for m in run["movies"]
            if m["status"] == "failed"
        ],
        warnings=warnings,
        overview=_overview(by_movie, summaries, warned),
        blocks=experiment_blocks(data),
        movies=[
            MovieSection(
                movie=movie,
                conditions=shown(by_movie.loc[movie].to_dict()),
                facts=movie_facts(summaries[movie]),
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
    texts = []
    if in_full > Page.open_movies:
        texts.append("Further movies open on a click; closed, they are not printed.")
    if in_full < count:
        texts.append(
            f"The first {in_full} of {count} movies are shown in full; figures, tables "
            "and evidence cards of the others lie in their folders."
        )
    return " ".join(texts)


def _headline(data: RunData) -> list[tuple[str, str]]:
    """What a reader wants first: a number, and what it is."""
    summaries = data.summaries
    frames = sum(s["n_frames"] for s in summaries.values())
    tracks = {
        role: sum(s["roles"][role]["n_tracks"] for s in summaries.values())
        for role in _roles(summaries)
    }
    followed = ", ".join(f"{n} {role}" for role, n in tracks.items())
    lines = [
        (plural(len(summaries), "movie"), f"with {plural(frames, 'frame')} in all"),
        (plural(sum(tracks.values()), "track"), followed),
    ]
    for role, found in (data.comparison or {}).get("roles", {}).items():
        groups = [g for g in found["groups"] if g["level"] != "movie"]
        groups = groups or found["groups"]
        if groups:
            deaths = sum(g["n_deaths"] for g in groups)
            parts = [
                f"{g['group']} {g['n_deaths']} of {g['n_at_risk']}" for g in groups
            ]
            lines.append((f"{deaths} {role} deaths", "; ".join(parts)))
        lysis = {
            g["group"]: g["specific_lysis_percent"]
            for g in groups
            if g["specific_lysis_percent"] and g["specific_lysis_percent"] > 0
        }
        if lysis:
            best = max(lysis, key=lambda group: lysis[group])
            text = (
                f"in {best}, the most of all groups" if len(lysis) > 1 else f"in {best}"
            )
            lines.append((f"{lysis[best]:.0f} % specific lysis", text))
    return lines


def _warnings(data: RunData) -> list[tuple[str, str]]:
    """What the checks found, less that a control has no effectors."""
    expected = {none_found(role) for role in data.effectors}
    survival = data.run["parameters"].get("killing", {}).get("survival", {})
    column = survival.get("control_column")
    controls: set[str] = set()
    if column in data.conditions:
        flagged = is_true(data.conditions[column])
        controls = set(data.conditions.loc[flagged, "movie"])
    return [
        (movie, text)
        for movie, summary in data.summaries.items()
        for text in summary["warnings"]
        if not (movie in controls and text in expected)
    ]


def _overview(
    by_movie: pd.DataFrame,
    summaries: dict[str, dict[str, Any]],
    warned: Counter[str],
) -> HtmlTable:
    names = [c for c in by_movie.columns if c != "dataset"]
    roles = _roles(summaries)
    counted = [f"{role} tracks" for role in roles]
    columns = ["movie", *map(str, names), "frames", *counted, "deaths", "warnings"]
    rows = []
    for movie, summary in summaries.items():
        values = [text_of(by_movie.loc[movie, name]) for name in names]
        tracks = [str(summary["roles"][r]["n_tracks"]) for r in roles]
        died = [str(found["n_deaths"]) for found in summary["deaths"].values()]
        warnings = str(warned[movie] or "none")
        frames = str(summary["n_frames"])
        rows.append([movie, *values, frames, *tracks, ", ".join(died) or "–", warnings])
    text = pd.DataFrame(rows, columns=columns).to_csv(index=False)
    save = (Download.csv("movies", text),)
    numbers = frozenset({"frames", *counted, "deaths"})
    return HtmlTable("All movies", columns, rows, save, numbers)


def _roles(summaries: dict[str, dict[str, Any]]) -> list[str]:
    names: dict[str, None] = {}
    for summary in summaries.values():
        names |= dict.fromkeys(summary["roles"])
    return list(names)
