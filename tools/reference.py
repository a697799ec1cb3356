"""Writes docs/reference/: parameters, tables, pipelines and commands, from the code.

python tools/reference.py            # after a change of any of these
python tools/reference.py --check    # exit code 1 and the names of stale pages
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import yaml
from kedro.framework.project import configure_project
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from message_page import messages_page
from pipeline_pages import pipeline_pages

from cyto_kedro.config import CytoConfigLoader
from cyto_kedro.core import scaling, schemas
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.params import Params
from cyto_kedro.core.table import Col, TableSpec
from cyto_kedro.pipeline_registry import pipelines_of

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / "docs" / "reference"
NOTE = "<!-- Written by tools/reference.py. -->\n\n"
Schema = dict[str, Any]


def pages() -> dict[str, str]:
    """Text of every page and schema by its path below ``docs/reference``."""
    loader = CytoConfigLoader(
        str(REPOSITORY / "conf"), base_env="base", default_run_env="base"
    )
    layout = loader.layout
    pipelines = pipelines_of(layout)
    found = {
        "parameters.md": parameters_page(pipelines, layout),
        "tables.md": tables_page(),
        "commands.md": commands_page(),
        "messages.md": messages_page(),
    }
    found |= pipeline_pages(layout, typed_parameters(pipelines, layout))
    for spec in table_specs():
        text = json.dumps(json_schema(spec), indent=1, ensure_ascii=False)
        found[f"schemas/{spec.name}.json"] = text + "\n"
    return {name: NOTE * name.endswith(".md") + text for name, text in found.items()}


# -- parameters -----------------------------------------------------------------------

# Other files of conf/ with models of their own.
FILES = {
    "globals.yml": "cyto_kedro.core.layout:Layout",
    "slurm.yml": "cyto_kedro.runners.resources:SlurmConfig",
    "execution.yml": "cyto_kedro.runners.profiles:ExecutionConfig",
    "allocation.yml": "cyto_kedro.runners.allocation:AllocationOptions",
}


def parameters_page(pipelines: dict[str, Pipeline], layout: Layout) -> str:
    """Every parameter with type, bounds, default and meaning."""
    text = (
        "# Parameters\n\nUnits are in the last column. Keys without a default must be "
    )
    text += "given; unknown keys are errors.\n\n"
    seen: set[str] = set()
    for name, model in sorted(typed_parameters(pipelines, layout).items()):
        file = f"parameters_{name.partition('.')[0]}.yml"
        text += (
            f"## `{name}`\n\nIn `conf/*/{file}`.\n\n"
            if _is_file(file)
            else (f"## `{name}`\n\n")
        )
        text += model_text(model, seen)
    for file, place in FILES.items():
        module, _, attribute = place.partition(":")
        model = getattr(import_module(module), attribute)
        text += f"## {file}\n\n{model_text(model, seen)}"
    return text.rstrip() + "\n"


def _is_file(name: str) -> bool:
    return (REPOSITORY / "conf" / "base" / name).exists()


def typed_parameters(
    pipelines: dict[str, Pipeline], layout: Layout
) -> dict[str, type[Params]]:
    """Models by parameter name; names of roles, pairs and channels as placeholders."""
    found: dict[str, type[Params]] = {}
    for pipeline in pipelines.values():
        for node in pipeline.nodes:
            for name, hint in _typed_inputs(node):
                found[_general(name, layout)] = hint
    return found


def _typed_inputs(node: Node) -> Iterator[tuple[str, type[Params]]]:
    function = inspect.unwrap(node.func)
    names = list(inspect.signature(function).parameters)
    for name, argument in zip(node.inputs, names, strict=False):
        # By name: other hints may be there for type checkers alone.
        hint = function.__globals__.get(str(function.__annotations__.get(argument)))
        if name.startswith("params:") and inspect.isclass(hint):
            yield name.removeprefix("params:"), hint


def _general(name: str, layout: Layout) -> str:
    kinds = dict.fromkeys(layout.roles, "<role>")
    kinds |= dict.fromkeys(layout.markers, "<marker>")
    kinds |= dict.fromkeys(layout.channels, "<channel>") | kinds
    return ".".join(kinds.get(part, part) for part in name.split("."))


def model_text(model: type[Params], seen: set[str]) -> str:
    """The table of a model, then those of models inside that were not shown before."""
    schema = model.model_json_schema()
    defs = schema.get("$defs", {})
    text = _about(schema) + _properties(schema)
    for name in sorted(defs):
        if name in seen or "properties" not in defs[name]:
            continue
        seen.add(name)
        text += f"### {name}\n\n{_about(defs[name])}{_properties(defs[name])}"
    return text


def _about(schema: Schema) -> str:
    first = inspect.cleandoc(schema.get("description", "")).partition("\n\n")[0]
    return " ".join(first.replace("``", "`").split()) + "\n\n" if first else ""


def _properties(schema: Schema) -> str:
    if not schema.get("properties"):
        return ""
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field in schema["properties"].items():
        default = "" if "default" not in field else f"`{_plain(field['default'])}`"
        about = " ".join(field.get("description", "").split()).replace("|", "\\|")
        lines.append(f"| `{key}` | {type_text(field)} | {default} | {about} |")
    return "\n".join(lines) + "\n\n"


def _plain(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return text.removesuffix("...").strip()


_BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def type_text(schema: Schema) -> str:
    """What a value may be, as readers of YAML say it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{_plain(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{_plain(value)}`" for value in schema["enum"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(type_text(s) for s in schema[several]))
    kind = schema.get("type", "any value")
    if kind == "array":
        if "prefixItems" in schema:
            inside = ", ".join(type_text(item) for item in schema["prefixItems"])
            return f"list of {inside}"
        return f"list of {type_text(schema.get('items', {}))}"
    if kind == "object" and "additionalProperties" in schema:
        inner = schema["additionalProperties"]
        inside = type_text(inner) if isinstance(inner, dict) else "any value"
        return f"name: {inside}"
    plain = {"boolean": "true, false", "string": "text", "object": "mapping"}
    bounds = [f"{sign} {schema[key]}" for key, sign in _BOUNDS.items() if key in schema]
    return " ".join([plain.get(kind, kind), *bounds])


# -- tables ---------------------------------------------------------------------------


def table_specs() -> list[TableSpec]:
    """All contracts, by name."""
    found = {
        spec.name: spec
        for module in (schemas, scaling)
        for spec in vars(module).values()
        if isinstance(spec, TableSpec)
    }
    return [found[name] for name in sorted(found)]


def tables_page() -> str:
    """The data dictionary."""
    files = _files_of_tables()
    text = "# Tables\n\nEvery table is checked against its contract when it is written "
    text += (
        "and read: columns, dtypes, bounds, one row per key. The same as JSON schema "
    )
    text += "of its rows: `docs/reference/schemas/`.\n\n"
    for spec in table_specs():
        text += f"## {spec.name}\n\n"
        for name, path in files.get(spec.name, []):
            text += f"- `{name}`: `{path}`\n"
        text += "\n" if spec.name in files else ""
        if spec.unique:
            text += f"A row is one: {', '.join(f'`{c}`' for c in spec.unique)}.\n\n"
        lines = ["| column | dtype | unit | meaning |", "|---|---|---|---|"]
        every = spec.columns | (spec.patterns or {})
        lines += [_column(name, column) for name, column in every.items()]
        if spec.open:
            lines.append("| … | any | | further columns, as the experiment has them |")
        text += "\n".join(lines) + "\n\n"
    return text.rstrip() + "\n"


def _column(name: str, column: Col) -> str:
    dtype = column.dtype + (", may be empty" if column.nullable else "")
    shown = name.replace("|", "\\|")
    about = column.about.replace("|", "\\|")
    return f"| `{shown}` | {dtype} | {column.unit} | {about} |"


def _files_of_tables() -> dict[str, list[tuple[str, str]]]:
    """Catalog entries and paths by the name of their contract."""
    found: dict[str, list[tuple[str, str]]] = {}
    for file in sorted((REPOSITORY / "conf" / "base").glob("catalog_*.yml")):
        for name, entry in yaml.safe_load(file.read_text("utf-8")).items():
            place = entry.get("validator") if isinstance(entry, dict) else None
            if not place or name.startswith("_"):
                continue
            module, _, attribute = place.rpartition(".")
            spec = getattr(import_module(module), attribute)
            path = entry.get("filepath", "").replace("${globals:", "<")
            found.setdefault(spec.name, []).append((name, path.replace("}/", ">/", 1)))
    return found


_JSON = {"int64": "integer", "Int64": "integer", "bool": "boolean"}


def json_schema(spec: TableSpec) -> Schema:
    """JSON schema of a table as a list of rows."""

    def one(column: Col) -> Schema:
        kind = _JSON.get(
            column.dtype, "number" if "float" in column.dtype else "string"
        )
        made: Schema = {"type": [kind, "null"] if column.nullable else kind}
        made["description"] = column.about
        extra = {"unit": column.unit, "minimum": column.ge, "maximum": column.le}
        return made | {
            key: value for key, value in extra.items() if value not in ("", None)
        }

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": spec.name,
        "type": "array",
        "items": {
            "type": "object",
            "properties": {name: one(column) for name, column in spec.columns.items()},
            "patternProperties": {
                name: one(column) for name, column in (spec.patterns or {}).items()
            },
            "required": list(spec.columns),
            "additionalProperties": spec.open,
        },
    }


# -- commands -------------------------------------------------------------------------


def commands_page() -> str:
    """Help of every command."""
    from cyto_kedro.cli.main import cli

    text = "# Commands\n\nBeside Kedro's own (`kedro run`, `kedro viz`, ...). Shell "
    text += 'completion, for bash: `eval "$(_KEDRO_COMPLETE=bash_source kedro)"`.\n\n'
    root = click.Context(cli, info_name="kedro")
    for words, context, command in _commands(cli, root, "kedro"):
        shown = command.get_help(context)
        text += f"## {words}\n\n```\n{shown}\n```\n\n"
    return text.rstrip() + "\n"


def _commands(
    group: click.Command, context: click.Context, words: str
) -> Iterator[tuple[str, click.Context, click.Command]]:
    if words != "kedro":
        yield words, context, group
    for name, command in sorted(getattr(group, "commands", {}).items()):
        inner = click.Context(
            command,
            info_name=name,
            parent=context,
            max_content_width=80,
            terminal_width=80,
        )
        yield from _commands(command, inner, f"{words} {name}")


def main() -> None:
    """Write the pages, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    configure_project("cyto_kedro")
    wanted = pages()
    there = {
        str(path.relative_to(FOLDER)): path.read_text("utf-8")
        for path in FOLDER.rglob("*")
        if path.is_file()
    }
    stale = sorted(
        name
        for name in wanted.keys() | there.keys()
        if wanted.get(name) != there.get(name)
    )
    if check:
        sys.exit("stale, run tools/reference.py: " + ", ".join(stale) if stale else 0)
    for name in stale:
        path = FOLDER / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[name], "utf-8")


if __name__ == "__main__":
    main()
