"""A translation as an environment of ``conf/``, as a person would have written it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.report import Report
from cyto_kedro.legacy.translate import Translation

REPORT = "IMPORT.md"
_SOURCE = "# Translated from "
_WIDTH = 70
_CATALOG = """\
# Tables with output: true, as CSV beside the Parquet file. All else is in conf/base.
"""

_COMMENTS = {
    "dataset": "Files are named in full; the name stands for them in results.",
    "data_root": "Where the images are: containers see this folder.",
    "sheet": "One row per movie; columns are conditions, or files:<channel>.",
    "channels": "Raw image files.",
    "roles": "Cell types: effectors kill, targets are killed.",
    "markers": "Channels measured inside cells.",
    "pixel_size_um": "um per pixel; null = the files say it.",
    "frame_interval_min": "Minutes between frames; null = the files say it.",
    "ingest": "The part of the movie that is analysed.",
    "preprocessing": "Steps of each channel, in order.",
    "segmentation": "How the cells of each role are found; lengths in um.",
    "tracking": "How they are followed; distances in um per frame step.",
    "contacts": "When two cells are in contact.",
    "networks": "Neighbours and density.",
    "features": "Selected tracks, and features made of two columns.",
    "kinematics": "How cells move.",
    "killing": "How the death of a cell is seen.",
    "benchmark": "The benchmark's trials, and how they are judged.",
    "output_root": "Run bundles, kept.",
    "scratch_root": "Heavy intermediates, may be purged.",
    "default_profile": "Profile of runs that do not name one.",
    "profiles": "Where each node runs: container, or bare metal.",
    "nodes": "What each node asks SLURM for.",
}


class _Dumper(yaml.SafeDumper):
    """Short mappings and lists of plain values stay on one line."""

    def represent_node(self, node: yaml.MappingNode | yaml.SequenceNode) -> yaml.Node:
        if isinstance(node, yaml.MappingNode):
            leaves = [part for pair in node.value for part in pair]
        else:
            leaves = list(node.value)
        plain = all(isinstance(leaf, yaml.ScalarNode) for leaf in leaves)
        size = sum(len(str(leaf.value)) + 2 for leaf in leaves)
        node.flow_style = (plain and size < _WIDTH) or not leaves
        return node


_Dumper.add_representer(
    dict,
    lambda d, value: d.represent_node(yaml.SafeDumper.represent_dict(d, value.items())),
)
_Dumper.add_representer(
    list,
    lambda d, value: d.represent_node(yaml.SafeDumper.represent_list(d, value)),
)
_Dumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]


def environment_files(
    translation: Translation, source: str, sheet: str
) -> dict[str, str]:
    """The files of an environment, by name.

    Args:
        translation: What they hold.
        source: Path of the pipeline file, for the first line.
        sheet: Path of the experiment sheet from the project's folder.

    Returns:
        ``globals.yml``, the sheet, ``parameters_analysis.yml``, where there is
        something to say ``catalog.yml``, ``execution.yml`` and ``slurm.yml``, and the
        report.
    """
    layout = translation.layout
    head = {"dataset": layout["dataset"], "sheet": sheet}
    table = pd.DataFrame(translation.sheet).to_csv(index=False)
    files = {
        "globals.yml": as_yaml(head | layout, source),
        "experiment.csv": table,
        "parameters_analysis.yml": as_yaml(_in_order(translation.parameters), source),
    }
    if translation.catalog:
        text = as_yaml(translation.catalog, source)
        first, _, rest = text.partition("\n")
        files["catalog.yml"] = f"{first}\n\n{_CATALOG}{rest}"
    if translation.execution:
        files["execution.yml"] = as_yaml(translation.execution, source)
    if translation.slurm:
        files["slurm.yml"] = as_yaml(translation.slurm, source)
    title = f"What became of {Path(source).name}"
    note = (
        "\nThe files of channels are in `globals.yml`, so the catalog has entries only "
        "for tables that are wanted as CSV, too. Pipelines: "
        f"{', '.join(translation.pipelines)}.\n"
    )
    files[REPORT] = translation.report.markdown(title) + note
    return files


def _in_order(parameters: dict[str, Any]) -> dict[str, Any]:
    """Categories in the order in which they run."""
    known = [name for name in _COMMENTS if name in parameters]
    return {name: parameters[name] for name in dict.fromkeys([*known, *parameters])}


def as_yaml(values: dict[str, Any], source: str) -> str:
    """YAML with a comment above each key."""
    parts = [f"{_SOURCE}{source}; {REPORT} says what became of every key.\n"]
    for key, value in values.items():
        text = yaml.dump(
            {key: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
        )
        # A mapping of one key would come out in braces.
        if text.startswith("{"):
            text = text.strip()[1:-1] + "\n"
        comment = _COMMENTS.get(key)
        parts.append(f"\n# {comment}\n{text}" if comment else f"\n{text}")
    return "".join(parts)


def write_environment(
    translation: Translation, conf: Path, env: str, source: Path, *, force: bool
) -> Path:
    """Write ``conf/<env>``; returns its folder.

    Args:
        translation: What to write.
        conf: The project's ``conf``.
        env: Name of the environment.
        source: The pipeline file.
        force: Overwrite an environment that was translated from this very file.

    Raises:
        ConfigError: The name cannot be used, or the environment is somebody else's.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", env) or env == "base":
        raise ConfigError(
            f"'{env}' is not a usable name of an environment",
            fix="letters, digits, '_', '-' and '.'; not base",
        )
    folder = conf / env
    origin = source.resolve().as_posix()
    _refuse_existing(folder, origin, force)
    sheet = (folder / "experiment.csv").relative_to(conf.parent).as_posix()
    files = environment_files(translation, origin, sheet)
    for name in ("catalog.yml", "execution.yml", "slurm.yml"):
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    for name, text in files.items():
        write_text(folder / name, text)
    return folder


def write_toml(
    files: dict[str, Any], report: Report, folder: Path, source: Path, *, force: bool
) -> list[Path]:
    """Write what TOML files come to, beside what the environment has.

    Raises:
        ConfigError: A file is there already.
    """
    texts = {
        f"{name}.yml": as_yaml(values, source.as_posix())
        for name, values in files.items()
    }
    texts[REPORT] = report.markdown(f"What became of the TOML files of {source.name}")
    there = [name for name in texts if (folder / name).exists()]
    if there and not force:
        raise ConfigError(
            f"The environment has {', '.join(there)}",
            where=str(folder),
            fix="choose another --env-name, or overwrite them with --force",
        )
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def _refuse_existing(folder: Path, origin: str, force: bool) -> None:
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    known = folder / "globals.yml"
    mark = f"{_SOURCE}{origin};"
    ours = known.is_file() and known.read_text("utf-8").startswith(mark)
    if not ours or not force:
        raise ConfigError(
            "The environment exists"
            + ("" if ours else " and was not translated from this file"),
            where=str(folder),
            fix="overwrite it with --force" if ours else "choose another --env-name",
        )
