"""What the report says of one movie: facts, figures, kills with their evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cyto_kedro.pipelines.reporting.page import Block, Download, HtmlTable, Picture
from cyto_kedro.pipelines.reporting.wording import left_out, with_unit

# Title of a part, and its figures: alternative text, and whether they span the page.
# A name stands for itself and for <name>_<role>.
_PARTS: dict[str, dict[str, tuple[str, bool]]] = {
    "What was seen": {
        "strip": (
            "Frames of the movie with outlines of all cells and the tails of their "
            "tracks",
            True,
        ),
    },
    "Deaths and kills": {
        "timeline": ("Deaths so far, and those credited to effectors", False),
        "contact_raster": (
            "Contacts of each target over time (darker: several effectors at once); "
            "crosses are deaths",
            False,
        ),
        "serial_killers": ("Effectors by number of kills", False),
        "capacity": (
            "Deaths and credited kills per hour of a living effector in view, in parts "
            "of the movie",
            False,
        ),
        "death_signals": ("Death signal of each target; dying cells in colour", False),
    },
    "How sure is the attribution": {
        "chance": (
            "Share of deaths that each rule gives to somebody (dot; filled: p ≤ 0.05) "
            "against what chance gives (bar: 95 % of random shifts)",
            False,
        ),
        "density": (
            "Credit per effector when effectors are left out; right are a flat line "
            "and at most one kill per death",
            False,
        ),
        "sensitivity": (
            "Deaths with the same verdict at other settings; bold: the chosen ones",
            True,
        ),
    },
    "Motion and contacts": {
        "counts": ("Number of cells in view over time", False),
        "speeds": ("Distribution of step speeds", False),
        "dwell_times": ("Distribution of contact dwell times", False),
        "around_contacts": (
            "Speed of each effector free of, before, during and after contacts; bars "
            "are medians",
            False,
        ),
        "paths": ("Paths of all cells from a common origin", False),
        "mixing": (
            "How often cell types are neighbours (dot), against roles dealt at random "
            "(bar: 95 %)",
            False,
        ),
        "networks": (
            "Neighbours (thin lines) and contacts (thick lines) at three times",
            True,
        ),
        "crowding": ("Cells per area over the movie", True),
    },
    "Quality": {
        "quality": ("Drift correction, brightness and focus over the movie", True),
    },
}
# Bitmaps inside, or too many lines to be small: shown as PNG.
_AS_PNG = ("strip", "paths")
_ODD = {
    "appears": "appeared",
    "vanishes": "vanished",
    "jump": "jumped",
    "swap": "may be swapped",
}
# Beside these stand up to four others.
_TALL = ("contact_raster",)


@dataclass(frozen=True)
class MovieData:
    """What a run left of one movie.

    Attributes:
        figures: Figures by name and format.
        tables: CSV text behind the figures, by name.
        kills: Table KILLS, if there is a death marker.
        cards: Evidence cards as SVG, by name.
        notes: Sentences on settings and hit model per target role.
    """

    figures: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    kills: pd.DataFrame | None = None
    cards: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)


def movie_blocks(movie: str, data: MovieData, most_cards: int) -> list[Block]:
    """The parts of a movie's section, those without content left out."""
    blocks = []
    for title, figures in _PARTS.items():
        block = Block(title, pictures=_pictures(movie, figures, data))
        missing = data.tables.get("left_out", "")
        block.texts.extend(left_out(missing, {k: v[0] for k, v in figures.items()}))
        if title.startswith("How sure"):
            notes = data.notes.items()
            several = len(data.notes) > 1
            block.texts.extend(
                f"{role}: {text}" if several else text
                for role, said in notes
                for text in said
            )
        if title == "Quality":
            block.tables.extend(_checks(movie, data))
        blocks.append(block)
        if title == "Deaths and kills" and data.kills is not None:
            block.tables.extend(_kill_tables(movie, data.kills))
            blocks.append(_evidence(movie, data, most_cards))
    return [block for block in blocks if block]


def _pictures(
    movie: str, figures: dict[str, tuple[str, bool]], data: MovieData
) -> list[Picture]:
    found = []
    for stem, (caption, wide) in figures.items():
        for name, formats in data.figures.items():
            if name != stem and not name.startswith(f"{stem}_"):
                continue
            role = name[len(stem) + 1 :]
            about = f" ({role})" if role else ""
            # Vector graphics stay sharp and small, unless they hold an image.
            kind = "svg" if "svg" in formats and stem not in _AS_PNG else "png"
            tables = tuple(
                Download.csv(f"{movie}_{key}", text)
                for key, text in data.tables.items()
                if key == name or (not role and key.startswith(f"{name}_"))
            )
            words = f"{caption}{about}."
            found.append(
                Picture(
                    f"{movie}_{name}",
                    f"{movie}: {words}",
                    formats[kind],
                    kind,
                    wide,
                    tables,
                    tall=stem in _TALL,
                    caption=words,
                )
            )
    return found


def _kill_tables(movie: str, kills: pd.DataFrame) -> list[HtmlTable]:
    """One row per death: when, who, by whom by each rule, and the second vote."""
    if kills.empty:
        return []
    columns = [
        "death (min)",
        "onset, 95 %",
        "victim",
        "likeliest killer",
        "hit model",
        "shared",
        "nearest",
        "exclusive",
        "nobody",
        "touched by",
        "live channel",
    ]
    rows = [_kill_row(kill) for kill in kills.to_dict(orient="records")]
    save = (Download.csv(f"{movie}_kills", kills.to_csv(index=False)),)
    numbers = frozenset({columns[0], *columns[4:10]})
    caption = "Every death and its likeliest killer, with credit by each rule"
    return [HtmlTable(caption, columns, rows, save, numbers)]


def _kill_row(kill: Mapping[Any, Any]) -> list[str]:
    vote = kill["live_lost"]
    onset = "–"
    if pd.notna(kill["onset_low_min"]):
        onset = f"{kill['onset_low_min']:.0f} to {kill['onset_high_min']:.0f}"
    killer = "nobody in contact"
    if pd.notna(kill["effector_track_id"]):
        killer = f"{kill['effector']} {int(kill['effector_track_id'])}"
    rules = ("hazard", "shared", "nearest", "exclusive")
    return [
        f"{kill['death_time_min']:.0f}",
        onset,
        f"{kill['target']} {int(kill['target_track_id'])}",
        killer,
        *(_credit(kill[f"credit_{rule}"]) for rule in rules),
        _credit(kill["background_probability"]),
        str(int(kill["n_candidates"])),
        "–" if pd.isna(vote) else "agrees" if vote else "disagrees",
    ]


def _credit(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.2f}"


def _evidence(movie: str, data: MovieData, most: int) -> Block:
    """Cards of the first deaths; the others are files."""
    kills = data.kills
    if kills is None or kills.empty:
        return Block("Evidence")
    drawn = kills[kills["card"].isin(list(data.cards))]
    pictures = [
        Picture(
            f"{movie}_{kill['card']}",
            f"{movie}: {kill['words']}",
            data.cards[str(kill["card"])].encode("utf-8"),
            "svg",
            wide=True,
            caption=str(kill["words"]),
            can_save=False,
        )
        for kill in drawn.head(most).to_dict(orient="records")
    ]
    texts = [
        "Each card: images around the death, victim and likeliest killer outlined "
        "thick, other candidates thin; the death marker; when each candidate touched "
        "the victim; and its credit by each rule."
    ]
    if len(pictures) < len(kills):
        texts.append(
            f"{len(pictures)} of {len(kills)} deaths are shown; {len(drawn)} cards lie "
            f"in {movie}/evidence/."
        )
    return Block("Evidence for each kill", texts, pictures=pictures)


def _checks(movie: str, data: MovieData) -> list[HtmlTable]:
    import csv
    import io

    if "checks" not in data.tables:
        return []
    rows = list(csv.reader(io.StringIO(data.tables["checks"])))[1:]
    return [HtmlTable("What was checked", ["check", "finding"], rows)]


def movie_facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures of one movie, as name and value."""
    facts = [
        ("frames", str(summary["n_frames"])),
        ("duration", with_unit(summary["duration_min"], "min")),
        ("largest drift", with_unit(summary["drift_max_um"], "µm")),
    ]
    for role, found in summary["roles"].items():
        facts.append((f"{role} tracks", str(found["n_tracks"])))
        if found.get("n_divisions"):
            facts.append((f"{role} divisions", str(found["n_divisions"])))
        speed = found.get("median_speed_um_per_min")
        facts.append((f"{role} median speed", with_unit(speed, "µm/min")))
    for role, kinds in summary["suspicious"].items():
        if kinds:
            text = ", ".join(
                f"{count} {_ODD.get(kind, kind)}" for kind, count in kinds.items()
            )
            facts.append((f"{role} tracks to look at", text))
    for role, found in summary["deaths"].items():
        facts.append((f"{role} deaths", f"{found['n_deaths']} of {found['n_at_risk']}"))
    for pair, found in summary["contacts"].items():
        name = pair.replace("_", "–")
        facts.append((f"{name} contacts", str(found["n_episodes"])))
        dwell = found.get("median_dwell_min")
        facts.append((f"{name} median dwell", with_unit(dwell, "min")))
    return facts
