"""The documentation: references follow the code, the site builds without network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from cyto_kedro.pipeline_registry import CATEGORIES
from notebook_tool import pages

REPOSITORY = Path(__file__).resolve().parents[2]


def test_references_are_what_the_code_says():
    done = subprocess.run(
        [sys.executable, "tools/reference.py", "--check"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_parameter_of_the_shipped_configuration_is_in_the_reference():
    text = (REPOSITORY / "docs" / "reference" / "parameters.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    documented |= set(re.findall(r"\w+", " ".join(re.findall("^## .*$", text, re.M))))
    for file in sorted((REPOSITORY / "conf" / "base").glob("parameters_*.yml")):
        for key in _keys(yaml.safe_load(file.read_text("utf-8"))):
            assert key in documented, f"{file.name}: {key}"


def _keys(value: object) -> set[str]:
    """Keys of a configuration; names of roles and channels are the experiment's."""
    if isinstance(value, list):
        return set().union(*(_keys(item) for item in value))
    if not isinstance(value, dict):
        return set()
    own = set(value) - {"tcell", "cancer", "death"}
    return own.union(*(_keys(item) for item in value.values()))


def test_every_pipeline_has_a_page_with_its_nodes_and_where_results_go():
    folder = REPOSITORY / "docs" / "reference" / "pipelines"
    pages = {path.stem: path.read_text("utf-8") for path in folder.glob("*.md")}
    assert {"ingest", "segmentation", "killing", "benchmark"} <= set(pages)
    assert "| `cancer.segment` |" in pages["segmentation"]
    row = next(
        line for line in pages["killing"].splitlines() if "| `survival` |" in line
    )
    assert "| output |" in row and "survival.parquet" in row and "reporting.md" in row
    labels = "| `cancer.labels` | scratch |"
    assert labels in pages["segmentation"]


def test_messages_that_are_explained_are_messages_that_exist():
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text("utf-8")
    known = (REPOSITORY / "docs" / "reference" / "messages.md").read_text("utf-8")
    known += "".join(
        path.read_text("utf-8")
        for path in (REPOSITORY / "src" / "cyto_kedro").rglob("*.py")
    )
    known = " ".join(re.sub(r'"\s*\n\s*f?"', "", known).replace("\\", "").split())
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", page, re.M)[1:]
    assert len(rows) > 20
    for row in rows:
        for part in re.split(r"…|\.\.\.| / |\(", row):
            assert part.strip(" ,):") in known, row


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_pages_outside_the_site_lead_somewhere(page):
    text = (REPOSITORY / page).read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link:
            assert (REPOSITORY / link.partition("#")[0]).exists(), link


def test_the_version_to_cite_is_the_one_that_is_installed():
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    assert cited["version"] == project["project"]["version"]
    assert cited["license"] == project["project"]["license"]
    page = (REPOSITORY / "docs" / "citing.md").read_text("utf-8")
    assert cited["title"] in page and cited["version"] in page


def test_every_extra_is_told_to_those_who_install():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    page = (REPOSITORY / "docs" / "install.md").read_text("utf-8")
    for extra in project["project"]["optional-dependencies"]:
        assert f"| `{extra}` |" in page


def test_the_drawings_show_what_there_is():
    images = REPOSITORY / "docs" / "images"
    flow = (images / "dataflow.svg").read_text("utf-8")
    for name in CATEGORIES:
        assert f">{name}</text>" in flow
    rooms = re.findall(r">(\w+)/", (images / "rooms.svg").read_text("utf-8"))
    assert len(rooms) > 8
    for name in rooms:
        assert (REPOSITORY / "src" / "cyto_kedro" / name).is_dir(), name


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Executed notebooks, in CI those of the tests; else a line stands for outputs."""
    if folder := os.environ.get(pages.FOLDER):
        return Path(folder)
    made = tmp_path_factory.mktemp("executed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(pages.FOLDER, str(made))
        for path in pages.notebooks():
            notebook = pages.read(path)
            code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
            for cell in code:
                cell["outputs"] = [{"output_type": "stream", "text": "stands for it"}]
            pages.keep(path, notebook, made)
    return made


@pytest.fixture(scope="module")
def site(notebooks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    pytest.importorskip("material", reason="the extra 'docs' is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", pages.FOLDER: str(notebooks)},
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text("utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="([^"]+)"', text)
        loaded += re.findall(r'<link[^>]+rel="(?:stylesheet|preconnect)"[^>]+>', text)
        assert not [item for item in loaded if "//" in item], page


@pytest.mark.browser
def test_pages_opened_from_disk_can_be_searched(site):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    page = f"file://{site}/methods/segmentation.html?q=purge"
    flags = "--headless --no-sandbox --disable-gpu --virtual-time-budget=10000".split()
    alone = "--host-resolver-rules=MAP * ~NOTFOUND"
    seen = subprocess.run(
        [browser, *flags, alone, "--dump-dom", page],
        capture_output=True,
        text=True,
        timeout=100,
    ).stdout
    assert re.search(r'md-search-result__meta">\s*\d+ matching documents', seen)
    assert "housekeeping.html" in seen


def test_every_command_and_table_can_be_searched(site):
    found = (site / "search" / "search_index.json").read_text("utf-8")
    for word in ("kedro cyto purge", "credit_hazard", "linking_max_distance_um"):
        assert word in found


def test_notebooks_are_pages_with_what_they_gave(site):
    overview = (site / "notebooks.html").read_text("utf-8")
    for path in pages.notebooks():
        assert f'href="notebooks/{path.stem}.html"' in overview
        page = (site / "notebooks" / f"{path.stem}.html").read_text("utf-8")
        assert "executed when this site was built" in page
        assert 'class="output' in page or 'class="text output' in page
        for picture in re.findall(r'<img[^>]+src="([^"]+)"', page):
            assert (site / "notebooks" / picture).is_file()
