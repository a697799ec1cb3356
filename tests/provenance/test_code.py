"""The code version of a node covers what it reaches, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyto_kedro.provenance import code


@pytest.fixture
def package(tmp_path, monkeypatch):
    root = tmp_path / "cyto_kedro"
    files = {
        "pipelines/a.py": "from cyto_kedro.methods.x import f\n",
        "pipelines/b.py": "def g():\n    from cyto_kedro.methods import y\n",
        "methods/__init__.py": "",
        "methods/x.py": "f = 1\n",
        "methods/y.py": "import cyto_kedro.core.z\n",
        "core/z.py": "z = 1\n",
        "datasets/d.py": "d = 1\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(code, "_ROOT", root)
    return root


def versions(package: Path) -> tuple[str, str]:
    code.code_version.cache_clear()
    code._imports.cache_clear()
    names = ("cyto_kedro.pipelines.a", "cyto_kedro.pipelines.b")
    first, second = (code.code_version(name) for name in names)
    return first, second


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("methods/x.py", (True, False)),
        ("methods/y.py", (False, True)),
        ("core/z.py", (False, True)),
        ("datasets/d.py", (True, True)),
    ],
)
def test_an_edit_touches_the_nodes_that_reach_it(package, edited, changed):
    before = versions(package)
    path = package / edited
    path.write_text(path.read_text() + "# edited\n")
    after = versions(package)
    assert tuple(a != b for a, b in zip(before, after, strict=True)) == changed
    code.code_version.cache_clear()
    code._imports.cache_clear()
