"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real movies and truth; the test is skipped where it is absent."""
    folder = os.environ.get("CYTO_KEDRO_REAL_DATA", "")
    if not folder:
        pytest.skip("CYTO_KEDRO_REAL_DATA is not set: no real data to test against")
    if not Path(folder).is_dir():
        pytest.fail(f"CYTO_KEDRO_REAL_DATA={folder} is not a folder")
    return Path(folder)
