"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from project import Project


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real movies and truth; the test is skipped where it is absent."""
    folder = os.environ.get("CYTO_KEDRO_REAL_DATA", "")
    if not folder:
        pytest.skip("CYTO_KEDRO_REAL_DATA is not set: no real data to test against")
    if not Path(folder).is_dir():
        pytest.fail(f"CYTO_KEDRO_REAL_DATA={folder} is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def example_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example after one `kedro run`, in a folder with a space in its name.

    Shared by all slow tests: copy it to change it.
    """
    made = Project.create(tmp_path_factory.mktemp("a project") / "cyto kedro")
    done = made.kedro("run")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return made
