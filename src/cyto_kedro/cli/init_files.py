"""Which movies lie in the files that `kedro cyto init` is given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from cyto_kedro.core.errors import InputError
from cyto_kedro.datasets.facts import SceneFacts, is_movie, scenes_of


@dataclass(frozen=True)
class Row:
    """A movie-to-be: one image of one file."""

    movie: str
    path: Path
    scene: SceneFacts


def rows_of(files: list[Path], scenes: tuple[str, ...] = ()) -> list[Row]:
    """One row per image of each file; images that are no movies are left out.

    Args:
        files: Files, OME-Zarr folders, or folders of them.
        scenes: Names of images to take, with ``*`` and ``?``; all by default.

    Raises:
        InputError: A file cannot be read, or no image is left.
    """
    rows: list[Row] = []
    left_out: list[str] = []
    for path in (found for given in files for found in _expanded(given)):
        stem = path.name.split(".")[0]
        for scene in scenes_of(path):
            wanted = any(fnmatchcase(scene.name, pattern) for pattern in scenes)
            if scene.no_movie or (scenes and not wanted):
                why = scene.no_movie or "is not named by --scene"
                left_out.append(f"image '{scene.name}' of {path.name} {why}")
                continue
            text = f"{stem}_{scene.name}" if scene.many else stem
            movie = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-") or "movie"
            taken = [row.movie for row in rows]
            movie = f"{movie}_{len(rows)}" if movie in taken else movie
            rows.append(Row(movie, path.resolve(), scene))
    if not rows:
        raise InputError("No movie is left: " + "; ".join(left_out))
    return rows


def _expanded(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError("There is no such file", where=str(path))
    if is_movie(path):
        return [path]
    found = sorted(filter(is_movie, path.iterdir())) if path.is_dir() else []
    if not found:
        raise InputError(
            "No movie is found here",
            where=str(path),
            fix="name ND2, CZI, LIF, TIFF files, OME-Zarr folders, or a folder of them",
        )
    return found


def channel_names(rows: list[Row]) -> list[str]:
    """Names that YAML keys and folders can bear, the same for all movies."""
    first = rows[0].scene.channels
    for row in rows[1:]:
        if row.scene.channels != first:
            raise InputError(
                f"The channels {list(row.scene.channels)} differ from {list(first)} in "
                f"{rows[0].path.name}",
                where=f"{row.path}, image {row.scene.name}",
                fix="make one environment for each kind; of images in one file choose "
                "with --scene NAME",
            )
    names: list[str] = []
    for number, text in enumerate(first):
        name = re.sub(r"\W+", "_", (text or "").lower(), flags=re.ASCII).strip("_")
        name = name if name.isidentifier() else f"channel_{name or number}"
        names.append(f"{name}_{number}" if name in names else name)
    return names
