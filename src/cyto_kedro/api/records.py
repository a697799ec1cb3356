"""Records and configuration for notebooks, as pyCyto's ``cyto.utils`` has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.toml import read_layers
from cyto_kedro.provenance.environment import git_state, without_secrets

_ROOTS = ("data_root", "scratch_root", "output_root")


def write_run_metadata(
    path: Path | str, *, pipeline: str, params: Mapping[str, Any], **facts: Any
) -> Path:
    """Write ``run_metadata.json`` of an analysis in a notebook.

    Args:
        path: The file.
        pipeline: Name of the analysis.
        params: Its parameters; what looks like a secret is left out.
        facts: Further entries, such as ``total_frames``.

    Returns:
        The path.
    """
    path, now = Path(path), datetime.now(UTC)
    sha, dirty = git_state(Path.cwd())
    record = {
        "run_id": now.strftime("%Y%m%dT%H%M%SZ"),
        "pipeline": pipeline,
        **facts,
        "params": without_secrets(dict(params)),
        "git_sha": sha,
        "uncommitted_changes": dirty,
        "completed_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    write_text(path, json.dumps(record, indent=1, default=str) + "\n")
    return path


def load_notebook_config(folder: Path | str | None = None) -> dict[str, Any]:
    """``config.def.toml`` with ``config.user.toml`` over it, paths absolute.

    Args:
        folder: Where they lie; ``notebooks`` of the project by default. Without either
            file, ``paths`` are the roots of the project's ``globals.yml``.

    Raises:
        ConfigError: A file is no TOML, or there is no project.
    """
    root = _project()
    place = root / "notebooks" if folder is None else Path(folder)
    config = read_layers(place, "config")
    if not config:
        from cyto_kedro.config import active_loader

        layout = active_loader().layout
        return {"paths": {key: getattr(layout, key) for key in _ROOTS}}
    paths = config.get("paths", {})
    config["paths"] = {key: root / str(value) for key, value in paths.items()}
    return config


def load_db_config(folder: Path | str | None = None) -> dict[str, Any]:
    """The section ``[database]`` of the notebooks' configuration.

    Raises:
        ConfigError: There is none.
    """
    config = load_notebook_config(folder)
    if "database" not in config:
        raise ConfigError(
            "The notebooks' configuration has no section [database]",
            where="notebooks/config.user.toml",
            fix="add it there, which git ignores",
        )
    return dict(config["database"])


def _project() -> Path:
    from kedro.utils import find_kedro_project

    return Path(find_kedro_project(Path.cwd()) or Path.cwd())
