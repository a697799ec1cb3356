"""A movie as files for napari, and the script that opens them."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from cyto_kedro.cli.export import calibration_of, copy_calibration
from cyto_kedro.cli.export_images import track_labels
from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.core.atomic import staged, write_text
from cyto_kedro.datasets import NapariTracksDataset, OmeZarrDataset

LOADER = "open_in_napari.py"
_EVENT_COLUMNS = [
    "kind",
    "frame",
    "y_px",
    "x_px",
    "role",
    "track_id",
    "other_role",
    "other_track_id",
    "words",
]


def write_napari(run: FinishedRun, movies: list[str], folder: Path) -> list[Path]:
    """A folder per movie: images, masks with track ids, tracks, events, script."""
    written = []
    for movie in movies:
        target = folder / movie
        known = copy_calibration(run, movie, target)
        for channel in run.layout.channels:
            run.load(f"{channel}.image", movie)
            with staged(target / f"image_{channel}.zarr") as stage:
                shutil.copytree(run.path(f"{channel}.image", movie), stage)
        for role in run.layout.roles:
            path = target / f"labels_{role}.zarr"
            OmeZarrDataset(path, kind="label", calibration=known).save(
                track_labels(run, role, movie)
            )
            tracks = run.load(f"{role}.tracks", movie)
            path = target / f"tracks_{role}.csv"
            NapariTracksDataset(path, unit="px", calibration=known).save(tracks)
        with staged(target / "events.csv") as stage:
            events(run, movie).to_csv(stage, index=False)
        script = files("cyto_kedro.cli").joinpath("napari_loader.txt")
        write_text(target / LOADER, script.read_text(encoding="utf-8"))
        written.append(target)
    return written


def events(run: FinishedRun, movie: str) -> pd.DataFrame:
    """Deaths, kills and divisions with their place in pixels, in order of time."""
    known = calibration_of(run, movie)
    parts = [pd.DataFrame(columns=_EVENT_COLUMNS)]
    positions = {}
    for role in run.layout.roles:
        tracks = run.load(f"{role}.tracks", movie)
        positions[role] = tracks.set_index(["track_id", "frame"])[["y_um", "x_um"]]
        parts.append(_divisions(role, tracks))
    if run.has("kills@movie", movie):
        kills = run.load("kills@movie", movie)
        parts.append(_deaths(kills, positions))
        parts.append(_kills(kills, positions))
    filled = [part for part in parts if len(part)] or parts[:1]
    table = pd.concat(filled, ignore_index=True)
    if len(table):
        table["y_px"] = table.pop("y_um").astype(float) / known.pixel_size_y_um
        table["x_px"] = table.pop("x_um").astype(float) / known.pixel_size_x_um
    return table.reindex(columns=_EVENT_COLUMNS).sort_values(
        ["frame", "kind", "track_id"], ignore_index=True
    )


def _divisions(role: str, tracks: pd.DataFrame) -> pd.DataFrame:
    """One row per daughter, where it begins."""
    first = tracks.sort_values("frame").drop_duplicates("track_id")
    born = first[first["parent_track_id"].notna()]
    words = [
        f"{role} {parent} divided into {own}"
        for parent, own in zip(born["parent_track_id"], born["track_id"], strict=True)
    ]
    return pd.DataFrame(
        {
            "kind": "division",
            "frame": born["frame"],
            "y_um": born["y_um"],
            "x_um": born["x_um"],
            "role": role,
            "track_id": born["track_id"],
            "other_role": role,
            "other_track_id": born["parent_track_id"],
            "words": words,
        }
    )


def _deaths(kills: pd.DataFrame, positions: dict[str, pd.DataFrame]) -> pd.DataFrame:
    table = kills.rename(
        columns={
            "target": "role",
            "target_track_id": "track_id",
            "effector": "other_role",
            "effector_track_id": "other_track_id",
            "death_frame": "frame",
        }
    )
    return _placed(table.assign(kind="death"), positions)


def _kills(kills: pd.DataFrame, positions: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The likeliest killer at the time of the death, where it is in view."""
    table = kills[kills["effector_track_id"].notna()].rename(
        columns={
            "effector": "role",
            "effector_track_id": "track_id",
            "target": "other_role",
            "target_track_id": "other_track_id",
            "death_frame": "frame",
        }
    )
    return _placed(table.assign(kind="kill"), positions)


def _placed(table: pd.DataFrame, positions: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Add the position of the cell; cells that are not in view are left out."""
    y: list[Any] = []
    x: list[Any] = []
    for role, track, frame in zip(
        table["role"], table["track_id"], table["frame"], strict=True
    ):
        key = (int(track), int(frame))
        at = positions[role]
        y.append(at.loc[key, "y_um"] if key in at.index else float("nan"))
        x.append(at.loc[key, "x_um"] if key in at.index else float("nan"))
    return table.assign(y_um=y, x_um=x).dropna(subset=["y_um"])
