"""`kedro cyto events export`: events of a run as questions with pictures."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.core.atomic import staged
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.reporting.crops import (
    Scene,
    frames_around,
    inside,
    read_crops,
    scene_of,
)
from cyto_kedro.methods.reporting.review import KINDS, numbered, review_events
from cyto_kedro.pipelines.reporting.params import CardParams, ReportingParams
from cyto_kedro.pipelines.reporting.strip_svg import (
    WIDTH,
    Strip,
    draw_strip,
    labels_of,
)
from cyto_kedro.pipelines.reporting.style import role_colours
from cyto_kedro.pipelines.reporting.svg import Drawing

SHEET, KEY, PAGE, ORIGIN = "sheet.csv", "key.csv", "judge.html", "origin.json"
#: Columns of the sheet that a person reads, then those that are filled in.
ASKED = ("event_id", "movie", "kind", "question", "frame", "picture")
FILLED = ("answer", "corrected_frame", "comment")


def export_events(
    run: FinishedRun,
    movie: str | None,
    folder: Path | None,
    controls: float = 1.0,
    most: int = 100,
    seed: int = 1,
    kinds: tuple[str, ...] = KINDS,
) -> Path:
    """Write the sheet, its pictures, and the page to judge them on.

    Args:
        run: The run.
        movie: One movie only; all finished ones by default.
        folder: Where to; ``<run>/events`` by default.
        controls: Events that were not called, per called one.
        most: Called events of each kind, role and movie, evenly chosen over time.
        seed: Of controls and order.
        kinds: What is asked about.

    Returns:
        The folder.

    Raises:
        ConfigError: There is nothing to look at, or the folder is not empty.
        InputError: Something that the run made is gone or was replaced.
    """
    target = folder or run.folder / "events"
    if target.exists() and any(target.iterdir()):
        raise ConfigError(
            "The folder is not empty: a sheet there may hold answers",
            where=str(target),
            fix="move it away, or choose another folder with --output",
        )
    movies = run.movies(movie)
    random = np.random.default_rng(seed)
    found = [_events_of(run, name, controls, most, random) for name in movies]
    wanted = [table[table["kind"].isin(kinds)] for table in found]
    filled = [table for table in wanted if len(table)]
    if not filled:
        raise ConfigError(
            f"There is no {' or '.join(kinds)} to look at", where=str(run.folder)
        )
    events = numbered(pd.concat(filled, ignore_index=True), random)
    with staged(target) as stage:
        (stage / "pictures").mkdir(parents=True)
        pictures = {}
        for name in movies:
            for event_id, drawing in _pictures(run, name, events):
                pictures[event_id] = drawing
                path = stage / "pictures" / f"{event_id}.svg"
                path.write_text(drawing, encoding="utf-8")
        _write(stage, events, pictures, run, seed)
    return target


def _write(
    stage: Path,
    events: pd.DataFrame,
    pictures: dict[str, str],
    run: FinishedRun,
    seed: int,
) -> None:
    sheet = events.assign(
        picture=[f"pictures/{event}.svg" for event in events["event_id"]],
        **dict.fromkeys(FILLED, ""),
    )
    sheet = sheet[[*ASKED, *FILLED]]
    sheet.to_csv(stage / SHEET, index=False)
    events.to_csv(stage / KEY, index=False)
    origin = {
        "run_id": run.run.id,
        "seed": seed,
        "movies": sorted(set(events["movie"])),
    }
    (stage / ORIGIN).write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
    ).get_template("events_page.html")
    rows = [
        row | {"source": _source(pictures[row["event_id"]])}
        for row in sheet.to_dict(orient="records")
    ]
    text = page.render(rows=rows, run_id=run.run.id, columns=[*ASKED, *FILLED])
    (stage / PAGE).write_text(text, encoding="utf-8")


def _source(svg: str) -> str:
    code = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return f"data:image/svg+xml;base64,{code}"


def _events_of(
    run: FinishedRun,
    movie: str,
    controls: float,
    most: int,
    random: np.random.Generator,
) -> pd.DataFrame:
    layout = run.layout
    deaths = {
        role: run.load(f"{role}.deaths@movie", movie)
        for role in layout.targets
        if run.has(f"{role}.deaths@movie", movie)
    }
    return review_events(
        movie,
        Calibration.model_validate(run.load("calibration", movie)),
        {role: run.load(f"{role}.tracks", movie) for role in layout.roles},
        deaths,
        {
            role: run.load(f"{role}.attribution", movie)
            for role in deaths
            if run.has(f"{role}.attribution", movie)
        },
        [
            (
                run.load(f"{a}_{b}.contacts", movie),
                run.load(f"{a}_{b}.contact_episodes", movie),
            )
            for a, b in layout.pairs
        ],
        controls,
        most,
        random,
    )


def _pictures(
    run: FinishedRun, movie: str, events: pd.DataFrame
) -> Iterator[tuple[str, str]]:
    """Event id and strip of the events of one movie; other frames are not read."""
    layout = run.layout
    own = events[events["movie"] == movie]
    known = Calibration.model_validate(run.load("calibration", movie))
    options = ReportingParams(**run.record["parameters"].get("reporting", {})).cards
    tracks = {role: run.load(f"{role}.tracks", movie) for role in layout.roles}
    drift = run.load("drift", movie)
    scenes = {row.event_id: _scene(row, tracks, known, options) for row in _rows(own)}
    crops = read_crops(list(scenes.values()), _stacks(run, movie))
    colours = role_colours({role: spec.kind for role, spec in layout.roles.items()})
    for row in _rows(own):
        scene = scenes[row.event_id]
        cells = [(str(row.role), int(row.track_id))]
        if pd.notna(row.other_track_id):
            cells.append((str(row.other_role), int(row.other_track_id)))
        strip = Strip(
            scene,
            crops[scene.key],
            inside(scene, drift),
            {cell: _shown_labels(row, cell, tracks, scene) for cell in cells},
            tuple(f"frame {frame}" for frame in scene.frames),
            int(row.frame),
        )
        drawing = Drawing(WIDTH, f"{row.event_id}: {row.question}")
        bottom = draw_strip(drawing, strip, colours, known.pixel_size_x_um)
        yield row.event_id, drawing.finish(bottom)


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return table.itertuples(index=False)


def _stacks(run: FinishedRun, movie: str) -> dict[str, Any]:
    layout = run.layout
    stacks = {}
    for role, spec in layout.roles.items():
        single = len(spec.channels) == 1
        image = f"{spec.channels[0]}.image" if single else f"{role}.merged"
        stacks[f"image:{role}"] = run.load(image, movie)
        stacks[f"labels:{role}"] = run.load(f"{role}.labels", movie)
    marker = layout.marker_channel("death")
    if marker is not None:
        stacks["marker"] = run.load(f"{marker}.image", movie)
    return stacks


def _scene(
    row: Any,
    tracks: dict[str, pd.DataFrame],
    known: Calibration,
    options: CardParams,
) -> Scene:
    """Divisions and contacts closely in time, deaths and kills as on their card."""
    before, after = options.before_min, options.after_min
    if row.kind in ("division", "contact"):
        before = after = 3 * known.frame_interval_min if known.n_frames > 1 else 0.0
    frames = frames_around(int(row.frame), known, before, after, options.frames)
    table = tracks[row.role]
    own = table[table["track_id"] == row.track_id]
    return scene_of(str(row.event_id), own, frames, known, options.size_um)


def _shown_labels(
    row: Any, cell: tuple[str, int], tracks: dict[str, pd.DataFrame], scene: Scene
) -> list[int]:
    """Labels to outline; after a division none, which would tell what was called."""
    labels = labels_of(tracks[cell[0]], cell[1], scene)
    if row.kind != "division":
        return labels
    shown = zip(scene.frames, labels, strict=True)
    return [label if frame <= row.frame else 0 for frame, label in shown]
