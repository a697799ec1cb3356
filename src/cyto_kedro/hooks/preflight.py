"""Refuses a run that cannot work, before its first node."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from cyto_kedro.core.errors import ConfigError, InputError, StorageError
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.uri import Place
from cyto_kedro.hooks.provenance import is_raw
from cyto_kedro.provenance.environment import versions_of
from cyto_kedro.provenance.fingerprint import (
    groups_of,
    is_parameter,
    output_files,
)
from cyto_kedro.provenance.hashing import size_of
from cyto_kedro.provenance.runs import METADATA

logger = logging.getLogger(__name__)

# Given on the command line for the session, not for a node.
_SESSION_PARAMETERS = {"movies"}
# Scratch holds a corrected copy of each channel and the masks of each role.
_SCRATCH_PER_RAW_BYTE = 2.0
_SCRATCH_FLOOR = 50 * 2**20
RAW_SUFFIX = ".raw"
MASKS_SUFFIX = ".ready_masks"


class PreflightHooks:
    """Checks parameters, catalog, methods, raw files, roots and disk space."""

    def __init__(self) -> None:
        self._context: KedroContext | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context: it knows the layout and the sheet."""
        self._context = context

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Run all checks.

        Raises:
            ConfigError: Unused or misspelt parameters, missing catalog entries or
                weights.
            InputError: Raw files are missing.
            StorageError: A root cannot be written, a node would write into the raw
                data, or the disk is too small.
        """
        if self._context is None:
            return
        loader: Any = self._context.config_loader
        layout, movies = loader.layout, loader.movies()
        used, inactive = used_parameters()
        check_parameters(loader["parameters"], used, inactive)
        check_catalog(pipeline, catalog)
        check_results_of_this_run(pipeline, catalog, layout)
        check_methods(pipeline, catalog)
        check_raw_files(pipeline, movies)
        check_roots(layout, movies)
        check_outputs(pipeline, catalog, layout)
        check_disk(layout, movies)


def check_parameters(
    parameters: Mapping[str, Any], used: Iterable[str], inactive: Iterable[str] = ()
) -> None:
    """Every key must be part of a parameter group that some node reads.

    Args:
        parameters: Resolved parameters.
        used: Dotted names that nodes read.
        inactive: Categories without nodes in this layout (no death marker, no pairs of
            cells to meet); their group may stay.

    Raises:
        ConfigError: A key is read by nobody, with the nearest key that is.
    """
    known = set(used) | _SESSION_PARAMETERS | set(inactive)
    unused = sorted(_unused(parameters, known, ""))
    if unused:
        lines = []
        for key in unused:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            lines.append(
                f"  - {key}" + (f" (did you mean '{near[0]}'?)" if near else "")
            )
        raise ConfigError(
            "Parameters that no node reads:\n" + "\n".join(lines),
            where="conf/*/parameters_*.yml or --params",
            fix="correct or remove them",
        )


def _unused(values: Mapping[str, Any], used: set[str], prefix: str) -> Iterable[str]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if name in used:
            continue
        if isinstance(value, Mapping) and any(u.startswith(f"{name}.") for u in used):
            yield from _unused(value, used, f"{name}.")
        else:
            yield name


def used_parameters() -> tuple[set[str], set[str]]:
    """Names of parameters that some node reads, and of pipelines without nodes."""
    from kedro.framework.project import pipelines

    pipelines.set_requested(None)
    named = dict(pipelines)
    used = {
        name.removeprefix("params:")
        for pipeline in named.values()
        for name in pipeline.inputs()
        if is_parameter(name)
    }
    return used, {name for name, pipeline in named.items() if not pipeline.nodes}


def check_catalog(pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    """Every input that no node produces must be in the catalog or the parameters.

    Raises:
        ConfigError: Names the entries that are missing.
    """
    missing = sorted(name for name in pipeline.inputs() if name not in catalog)
    if not missing:
        return
    parameters = [name for name in missing if is_parameter(name)]
    where = (
        "conf/*/parameters_*.yml (every role and channel of globals.yml needs an entry)"
        if parameters
        else "conf/*/catalog_*.yml"
    )
    raise ConfigError(
        "The pipeline needs what nobody provides: " + ", ".join(missing),
        where=where,
        fix="add the entries, or run the pipeline that produces them",
    )


def check_results_of_this_run(
    pipeline: Pipeline, catalog: CatalogProtocol, layout: Layout
) -> None:
    """A run folder is made by one run: nothing in it can be taken from an earlier one.

    Raises:
        ConfigError: The pipeline has no node, or nodes were left out whose results of
            all movies others need.
    """
    if not pipeline.nodes:
        raise ConfigError(
            "This pipeline has no node",
            where="--pipeline, --nodes, --tags, ... and the roles of globals.yml",
            fix="contacts need an effector and a target role, killing a death marker",
        )
    needed = sorted(
        name
        for name in pipeline.inputs()
        if name.endswith("@all") or _is_output(catalog.get(name), layout)
    )
    if needed:
        raise ConfigError(
            "The nodes chosen need results that this run would not make: "
            + ", ".join(needed),
            where="--from-nodes, --nodes, --tags, ...",
            fix="run the whole pipeline with --only-missing-outputs: what is up to "
            "date is not computed again",
        )


def check_methods(pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    """What the chosen methods need must be at hand: weights, above all.

    A library that is missing here is only told: the node that needs it may run in a
    container or on another machine. There it is an error before any frame is read.

    Raises:
        ConfigError: Names the file that is missing and how to get it.
    """
    for node in pipeline.nodes:
        for group in groups_of(node, catalog).values():
            group.check_ready()
            missing = sorted(set(group.libraries) - set(versions_of(group.libraries)))
            if missing:
                logger.warning(
                    "Node '%s' needs %s, which this Python does not have: it must run "
                    "elsewhere",
                    node.name,
                    " and ".join(missing),
                )


def _is_output(dataset: Any, layout: Layout) -> bool:
    """Whether a dataset lies in a run folder and is made by nodes."""
    if hasattr(dataset, "source_files"):
        return False  # raw, or a view: it is asked for only by name
    path = getattr(dataset, "path", None)
    if path is None or Path(path).name == METADATA:
        return False
    return Path(path).is_relative_to(layout.output_root)


def check_raw_files(pipeline: Pipeline, movies: Iterable[Movie]) -> None:
    """The raw files of every channel that the pipeline reads must exist.

    Raises:
        InputError: Names each movie, channel and path that is missing.
    """
    channels = [
        name.removesuffix(RAW_SUFFIX)
        for name in sorted(pipeline.inputs())
        if name.endswith(RAW_SUFFIX)
    ]
    missing = [
        f"  - movie {movie.id}, channel {channel}: {movie.paths[channel]}"
        for movie in movies
        for channel in channels
        if not _raw_files(movie.paths[channel])
    ]
    missing += [
        f"  - movie {movie.id}, masks of role {role}: {path}"
        for movie in movies
        for role, path in movie.masks.items()
        if f"{role}{MASKS_SUFFIX}" in pipeline.inputs() and not _raw_files(path)
    ]
    if missing:
        raise InputError(
            "Raw files are missing:\n" + "\n".join(missing),
            fix="check data_root, dataset, channels and masks in globals.yml, and the "
            "movie ids of the sheet",
        )


def _raw_files(path: Path) -> list[Path]:
    if path.exists():
        return [path]
    return sorted(path.parent.glob(path.name)) if path.parent.is_dir() else []


def check_roots(layout: Layout, movies: Iterable[Movie]) -> None:
    """Scratch and output must be writable and lie outside the raw data.

    Raises:
        StorageError: Names the root and the key in globals.yml.
    """
    datasets = {layout.dataset, *(movie.dataset for movie in movies)}
    raw = [(layout.data_root / name).resolve() for name in datasets]
    for key in ("scratch_root", "output_root"):
        root: Path = getattr(layout, key)
        used = [root.resolve(), *((root / name).resolve() for name in datasets)]
        if any(place.is_relative_to(folder) for place in used for folder in raw):
            raise StorageError(
                f"{key} lies inside the raw data",
                where=str(root),
                fix=f"set {key} in globals.yml to a folder outside data_root",
            )
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                pass
        except OSError as exc:
            raise StorageError(
                f"{key} cannot be written: {exc.strerror}",
                where=str(root),
                fix=f"set {key} in conf/local/globals.yml to a folder you may write",
            ) from exc


def check_outputs(pipeline: Pipeline, catalog: CatalogProtocol, layout: Layout) -> None:
    """No dataset that a node writes lies in the raw data, whatever its type.

    Raises:
        StorageError: Names the catalog entries.
    """
    outputs = [
        (name, path)
        for name in sorted(pipeline.all_outputs())
        for path in output_files(catalog, name)
    ]
    wrong = [f"{n}: {_shown(path)}" for n, path in outputs if is_raw(path, layout)]
    if wrong:
        raise StorageError(
            "Raw data are read-only, and these would be written there:\n"
            + "\n".join(f"  - {line}" for line in wrong),
            where="conf/*/catalog_*.yml",
            fix="start their paths with ${globals:scratch_root} or "
            "${globals:output_root}",
        )
    places = [
        (name, path.as_uri()) for name, path in outputs if isinstance(path, Place)
    ]
    loose = [name for name, uri in places if layout.remote.class_of(uri) is None]
    if loose:
        logger.warning(
            "Below no root of `remote:` in globals.yml: %s. They count as output, and "
            "`kedro cyto purge` and `du` do not see them",
            ", ".join(loose),
        )


def _shown(path: Path | Place) -> str:
    return str(path) if isinstance(path, Path) else path.as_uri()


def check_disk(layout: Layout, movies: Iterable[Movie]) -> None:
    """The scratch root needs room for what the raw data will become.

    Raises:
        StorageError: Says how much is needed and how much is free.
    """
    raw = sum(
        size_of(found)
        for movie in movies
        for path in (*movie.paths.values(), *movie.masks.values())
        for found in _raw_files(path)
    )
    needed = int(raw * _SCRATCH_PER_RAW_BYTE) + _SCRATCH_FLOOR
    free = shutil.disk_usage(layout.scratch_root).free
    if free < needed:
        raise StorageError(
            f"The disk is too small: about {needed / 2**30:.2f} GiB are needed, "
            f"{free / 2**30:.2f} GiB are free",
            where=str(layout.scratch_root),
            fix="free some space or set scratch_root in conf/local/globals.yml",
        )
