"""`kedro cyto init`: from files of the microscope to an environment that runs."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from cyto_kedro.cli.guess import KINDS, Guess, guess
from cyto_kedro.cli.init_files import Row, channel_names, rows_of
from cyto_kedro.cli.init_picture import draw_channels
from cyto_kedro.core.atomic import staged, write_text
from cyto_kedro.core.errors import ConfigError, StorageError
from cyto_kedro.core.frames import compute_frame
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.datasets.facts import SceneFacts
from cyto_kedro.datasets.sources import read_stack

_FILES = ("globals.yml", "experiment.csv", "parameters_analysis.yml", "channels.png")
PIXEL_SIZE, INTERVAL = "pixel size (um)", "time between frames (min)"
_SMALLEST_AREA = 0.15  # of a typical cell; below is debris
_DEFAULT_DIAMETER_UM = 12.0


@dataclass(frozen=True)
class Wanted:
    """What the user said on the command line."""

    env: str
    kinds: dict[str, str]
    z: int | str | None
    pixel_size_um: float | None
    frame_interval_min: float | None
    place: str  # in_place, link or copy
    force: bool
    scenes: tuple[str, ...] = ()


def write_environment(
    files: list[Path],
    wanted: Wanted,
    conf: Path,
    data_root: Path,
    ask: Callable[[list[str]], list[float]],
) -> tuple[Path, dict[str, Guess]]:
    """Write ``conf/<env>`` for some files; returns it and the guessed channels.

    Args:
        files: Files, OME-Zarr folders, or folders that hold such.
        wanted: Options.
        conf: The project's ``conf``.
        data_root: Where ``--copy`` and ``--link`` put files.
        ask: Called with what no file says, if anything; gives the numbers.

    Raises:
        ConfigError: The environment exists, or an option does not fit the files.
        InputError: A file cannot be read, or the files differ in their channels.
    """
    folder = conf / wanted.env
    _refuse_existing(folder, wanted)
    rows = rows_of(files, wanted.scenes)
    names = channel_names(rows)
    _check_kinds(wanted.kinds, names)
    row = rows[0]
    raws = {name: _open(row, i, len(names), wanted) for i, name in enumerate(names)}
    guesses = guess({name: _middle(raw) for name, raw in raws.items()}, wanted.kinds)
    if not any(g.kind in ("effector", "target", "other") for g in guesses.values()):
        raise ConfigError(
            "None of the channels shows cells: " + ", ".join(names),
            fix="name one: --role CHANNEL=target (or effector, other)",
        )
    pixel, interval = _calibration(raws, wanted, ask)
    sheet = _sheet(rows, wanted, data_root)
    settings = _globals(names, guesses, row.scene, wanted, folder, conf)
    settings |= {"pixel_size_um": pixel[0], "frame_interval_min": interval}
    write_text(folder / "experiment.csv", sheet.to_csv(index=False))
    write_text(
        folder / "globals.yml",
        "# Written by `kedro cyto init`; look at channels.png and correct the roles.\n"
        + yaml.safe_dump(settings, sort_keys=False),
    )
    write_text(
        folder / "parameters_analysis.yml",
        "# Cell diameters are estimates from one frame: check them with\n"
        f"# kedro cyto preview {row.movie} --env {wanted.env}\n"
        + yaml.safe_dump(_parameters(settings, guesses, pixel[1]), sort_keys=False),
    )
    draw_channels(folder / "channels.png", row.movie, raws, guesses)
    return folder, guesses


def _refuse_existing(folder: Path, wanted: Wanted) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", wanted.env):
        raise ConfigError(f"'{wanted.env}' is not a usable name", fix="letters, digits")
    there = [name for name in _FILES if (folder / name).exists()]
    if there and not wanted.force:
        raise ConfigError(
            f"The environment exists: {', '.join(there)}",
            where=str(folder),
            fix="choose another name, or overwrite these files with --force",
        )


def _check_kinds(kinds: dict[str, str], names: list[str]) -> None:
    for name, kind in kinds.items():
        if name not in names or kind not in KINDS:
            raise ConfigError(
                f"--role {name}={kind} does not fit",
                fix=f"channels: {', '.join(names)}; kinds: {', '.join(KINDS)}",
            )


def _open(row: Row, index: int, count: int, wanted: Wanted) -> RawChannel:
    if row.scene.sizes.get("Z", 1) > 1 and wanted.z is None:
        raise ConfigError(
            f"The file holds a Z stack of {row.scene.sizes['Z']} planes",
            where=str(row.path),
            fix="choose --z max (brightest pixels) or the number of a plane from 0",
        )
    scene = row.scene.name if row.scene.many else None
    z: object = wanted.z
    return read_stack(row.path, index if count > 1 else None, None, scene, z)  # type: ignore[arg-type]


def _middle(raw: RawChannel) -> np.ndarray:
    return compute_frame(raw.data, raw.data.shape[0] // 2)


def _calibration(
    raws: dict[str, RawChannel], wanted: Wanted, ask: Callable[[list[str]], list[float]]
) -> tuple[tuple[float | None, float], float | None]:
    """(for globals.yml, in use) pixel size, and interval for globals.yml."""
    raw = next(iter(raws.values()))
    stated, interval = wanted.pixel_size_um, wanted.frame_interval_min
    known = raw.frame_interval_min or raw.frame_times_min
    missing = []
    if raw.pixel_size_um is None and stated is None:
        missing.append(PIXEL_SIZE)
    if raw.data.shape[0] > 1 and known is None and interval is None:
        missing.append(INTERVAL)
    told = dict(zip(missing, ask(missing), strict=True)) if missing else {}
    stated, interval = told.get(PIXEL_SIZE, stated), told.get(INTERVAL, interval)
    used = stated if raw.pixel_size_um is None else raw.pixel_size_um[0]
    return (stated, float(used or math.nan)), interval


def _sheet(rows: list[Row], wanted: Wanted, data_root: Path) -> pd.DataFrame:
    placed = {row.path: _placed(row.path, wanted, data_root) for row in rows}
    table = {
        "movie": [row.movie for row in rows],
        "files": [placed[row.path] for row in rows],
        "scene": [row.scene.name for row in rows],
        "donor": "fill_in",
        "condition": "fill_in",
        "control": False,
    }
    if not rows[0].scene.many:
        table.pop("scene")
    return pd.DataFrame(table)


def _placed(path: Path, wanted: Wanted, data_root: Path) -> str:
    """What the sheet says of a file, after it was put where it belongs."""
    if wanted.place == "in_place":
        return str(path)
    target = data_root / wanted.env / path.name
    if target.exists() and not target.samefile(path):
        raise StorageError(
            "Another file lies there, and raw data are never overwritten",
            where=str(target),
            fix="choose another environment name",
        )
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        if wanted.place == "link":
            os.symlink(path, target)
        else:
            with staged(target) as stage:
                copy = shutil.copytree if path.is_dir() else shutil.copy2
                copy(path, stage)
    return path.name


def _globals(
    names: list[str],
    guesses: dict[str, Guess],
    scene: SceneFacts,
    wanted: Wanted,
    folder: Path,
    conf: Path,
) -> dict[str, object]:
    kept = [name for name in names if guesses[name].kind != "ignore"]
    common: dict[str, object] = {"files": "<files>"}
    common |= {"scene": "<scene>"} if scene.many else {}
    stack = {"z": wanted.z} if scene.sizes.get("Z", 1) > 1 else {}
    channels = {
        name: common | ({"index": names.index(name)} if len(names) > 1 else {}) | stack
        for name in kept
    }
    roles, markers = {}, {}
    for name in kept:
        kind = guesses[name].kind
        if kind in ("death", "live"):
            markers[name] = {"channel": name, "kind": kind}
        else:
            roles[name] = {"kind": kind, "channels": [name]}
    return {
        "dataset": wanted.env,
        "sheet": (folder / "experiment.csv").relative_to(conf.parent).as_posix(),
        "channels": channels,
        "roles": roles,
        "markers": markers,
    }


def _parameters(
    settings: dict[str, object], guesses: dict[str, Guess], pixel_um: float
) -> dict[str, object]:
    roles, segmentation = settings["roles"], {}
    assert isinstance(roles, dict) and isinstance(settings["channels"], dict)
    for name in roles:
        diameter = guesses[name].diameter_px * pixel_um
        diameter = round(diameter, 1) if diameter > 0 else _DEFAULT_DIAMETER_UM
        segmentation[name] = {
            "method": {"name": "classical", "diameter_um": diameter},
            "min_area_um2": round(_SMALLEST_AREA * math.pi * diameter**2 / 4, 2),
        }
    preprocessing: dict[str, object] = {
        "channels": {name: {"steps": []} for name in settings["channels"]}
    }
    if all(role["kind"] != "target" for role in roles.values()):
        preprocessing["registration"] = {"channel": next(iter(roles))}
    return {
        "segmentation": segmentation,
        "tracking": {name: {"method": {"name": "lap"}} for name in roles},
        "preprocessing": preprocessing,
    }
