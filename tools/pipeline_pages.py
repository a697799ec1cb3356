"""One page per pipeline for tools/reference.py: nodes, what comes in, what goes out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from kedro.pipeline import Pipeline

from cyto_kedro.config import BENCHMARK
from cyto_kedro.core.layout import Layout
from cyto_kedro.pipeline_registry import AGGREGATES, CATEGORIES

REPOSITORY = Path(__file__).resolve().parents[1]
METHODS = REPOSITORY / "docs" / "methods"
ROOTS = {"data_root": "raw", "scratch_root": "scratch", "output_root": "output"}
# A page without a heading of its own among the methods.
OTHER_PAGES = {
    "results": "../../outputs.md",
    "reporting": "../../report.md",
    "benchmark": "../../benchmark.md",
}
Entries = Mapping[str, Mapping[str, Any]]


def pipeline_pages(layout: Layout, headings: Iterable[str]) -> dict[str, str]:
    """Text of each page below ``docs/reference``.

    Args:
        layout: The bundled example's.
        headings: Names of parameter groups in ``parameters.md``.
    """
    parts = {
        name: Pipeline(
            import_module(f"cyto_kedro.pipelines.{name}").create_pipeline(layout)
        )
        for name in (*CATEGORIES, BENCHMARK)
    }
    entries = _catalog()
    pages = {"pipelines.md": _index(parts)}
    for name in parts:
        pages[f"pipelines/{name}.md"] = _page(name, parts, entries, tuple(headings))
    return pages


def _index(parts: Mapping[str, Pipeline]) -> str:
    lines = ["| pipeline | does | nodes |", "|---|---|---:|"]
    for name, part in parts.items():
        about = first_line(import_module(f"cyto_kedro.pipelines.{name}"))
        lines.append(f"| [{name}](pipelines/{name}.md) | {about} | {len(part.nodes)} |")
    groups = [
        f"| `{name}` | {' and '.join(f'`{one}`' for one in members)} |"
        for name, members in AGGREGATES.items()
    ]
    return "\n".join(
        [
            "# Pipelines\n",
            "`kedro run` runs all of them but the benchmark; "
            "`kedro run --pipeline=NAME` one with everything before it. Pages show the "
            "nodes that the bundled example has: `tcell` and `cancer` are its roles, "
            "`death` its marker. `kedro viz` draws the same.\n",
            *lines,
            "\nNames of pyCyto's categories run ours:\n",
            "| name | runs |",
            "|---|---|",
            *groups,
            "",
        ]
    )


def _page(
    name: str,
    parts: Mapping[str, Pipeline],
    entries: Entries,
    headings: tuple[str, ...],
) -> str:
    part = parts[name]
    maker = {made: one for one in parts for made in parts[one].all_outputs()}
    about = first_line(import_module(f"cyto_kedro.pipelines.{name}"))
    text = [
        f"# Pipeline {name}\n\n{about}\n",
        f"```bash\nkedro run --pipeline={name}   # with everything before it\n```\n",
    ]
    if (METHODS / f"{name}.md").exists():
        text.append(
            f"How, and what was measured: [methods](../../methods/{name}.md).\n"
        )
    elif name in OTHER_PAGES:
        text.append(f"More: [how to read it]({OTHER_PAGES[name]}).\n")
    text += ["## Nodes\n", *_nodes(part), "", "## Reads\n"]
    text += [*_reads(part, maker, entries), "", "## Makes\n"]
    text += [*_makes(part, parts, entries), ""]
    groups = {g for g in headings if g.partition(".")[0] == name} | {
        group
        for item in part.inputs()
        if item.startswith("params:")
        for group in headings
        if item.removeprefix("params:") == group
    }
    if groups:
        links = [f"- [`{g}`](../parameters.md#{slug(g)})" for g in sorted(groups)]
        text += ["## Parameters\n", *links, ""]
    return "\n".join(text)


def _nodes(part: Pipeline) -> list[str]:
    lines = ["| node | does | reads | makes |", "|---|---|---|---|"]
    for node in part.nodes:
        reads = ", ".join(f"`{item}`" for item in dict.fromkeys(node.inputs))
        makes = ", ".join(f"`{item}`" for item in node.outputs)
        about = first_line(inspect.unwrap(node.func))
        lines.append(f"| `{node.name}` | {about} | {reads} | {makes} |")
    return lines


def _reads(part: Pipeline, maker: Mapping[str, str], entries: Entries) -> list[str]:
    lines = ["| dataset | from | table |", "|---|---|---|"]
    for item in sorted(part.inputs()):
        if item.startswith("params:") or item == "parameters":
            continue
        source = maker.get(item) or maker.get(item.replace("@all", "@movie"))
        shown = f"[{source}]({source}.md)" if source else "the experiment"
        lines.append(f"| `{item}` | {shown} | {_contract(item, entries)} |")
    return lines


def _makes(
    part: Pipeline, parts: Mapping[str, Pipeline], entries: Entries
) -> list[str]:
    lines = ["| dataset | class | file | table | read by |", "|---|---|---|---|---|"]
    for item in sorted(part.all_outputs()):
        entry = entry_of(item, entries)
        path = str(entry.get("filepath") or "")
        root = next((key for key in ROOTS if f"globals:{key}" in path), "")
        file = path.partition("}/")[2]
        shown = f"`{file}`" if file else "in memory"
        names = {item, item.replace("@movie", "@all")}
        readers = [one for one, other in parts.items() if names & other.inputs()]
        links = ", ".join(f"[{one}]({one}.md)" for one in readers)
        lines.append(
            f"| `{item}` | {ROOTS.get(root, '')} | {shown} | "
            f"{_contract(item, entries)} | {links} |"
        )
    return lines


def _contract(name: str, entries: Entries) -> str:
    place = entry_of(name, entries).get("validator")
    if not place:
        return ""
    module, _, attribute = place.rpartition(".")
    table = getattr(import_module(module), attribute).name
    return f"[{table}](../tables.md#{table})"


def _catalog() -> dict[str, Mapping[str, Any]]:
    """Entries of the shipped catalog, as written."""
    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted((REPOSITORY / "conf" / "base").glob("catalog_*.yml")):
        text = yaml.safe_load(file.read_text("utf-8"))
        found |= {
            name: entry
            for name, entry in text.items()
            if not name.startswith("_") and isinstance(entry, dict)
        }
    return found


def entry_of(name: str, entries: Entries) -> Mapping[str, Any]:
    """The entry that a dataset resolves to: its own, or the most literal pattern."""
    if name in entries:
        return entries[name]
    fitting = [key for key in entries if "{" in key and _pattern(key).fullmatch(name)]
    if not fitting:
        return {}
    return entries[max(fitting, key=lambda key: len(re.sub(r"{\w+}", "", key)))]


def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "(.+)", re.escape(key)))


def slug(heading: str) -> str:
    """The anchor that the site gives a heading."""
    return re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-")


def first_line(thing: Any) -> str:
    """The first paragraph of a docstring, for a table cell."""
    first = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    return " ".join(first.replace("``", "`").split()).replace("|", "\\|")
