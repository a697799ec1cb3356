"""docs/outputs.md describes exactly what the catalog writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
# `<target>_killers.csv` in the page and `{role}_killers` in the catalog are the same.
ROLE = re.compile(r"\{\w+\}|<effector>_<target>|<(?:role|target|effector)>")


def written() -> dict[str, str]:
    """Type of dataset by file below the run's folder, as the catalog writes it."""
    text = (REPOSITORY / "conf" / "base" / "catalog_reporting.yml").read_text("utf-8")
    entries = yaml.safe_load(text.replace("${globals:", "$(")).values()
    found = {
        entry["filepath"].split("<run>/", 1)[1]: entry["type"].rsplit(".", 1)[1]
        for entry in entries
        if "filepath" in entry
    }
    return {ROLE.sub("*", path): kind for path, kind in found.items()}


@pytest.fixture(scope="module")
def page() -> str:
    return (REPOSITORY / "docs" / "outputs.md").read_text("utf-8")


def test_each_table_has_a_paragraph_and_no_other(page):
    described = re.findall(r"^\*\*`([^`]+)`\*\* - \S", page, flags=re.MULTILINE)
    assert len(described) == len(set(described)), "one paragraph per table"
    tables = {
        path.replace(".parquet", ".csv")
        for path, kind in written().items()
        if kind == "TableDataset"
    }
    assert {ROLE.sub("*", name) for name in described} == tables


def test_all_other_outputs_are_named(page):
    named = {ROLE.sub("*", name).rstrip("/") for name in re.findall(r"`([^`]+)`", page)}
    others = {path for path, kind in written().items() if kind != "TableDataset"}
    assert others - named == set()
