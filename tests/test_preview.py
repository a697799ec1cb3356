"""`kedro cyto preview` shows outlines before anyone starts a long run."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow


def test_outlines_of_the_frames_asked_for(example_project, tmp_path):
    done = example_project.kedro(
        "cyto", "preview", "killing_A1", "--frames", "0,40", "-o", str(tmp_path)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["frame_00000.png", "frame_00040.png"]
    picture = np.asarray(Image.open(tmp_path / "frame_00040.png")).astype(int)
    assert picture.shape == (720, 2 * 720, 3)  # T cells beside cancer cells, enlarged
    coloured = np.ptp(picture, axis=2) > 60
    outlined = coloured[:, :720].sum(), coloured[:, 720:].sum()
    assert min(outlined) > 1000  # grey images with outlines in colour


def test_a_frame_that_does_not_exist_is_refused(example_project, tmp_path):
    done = example_project.kedro(
        "cyto", "preview", "killing_A1", "--frames", "60", "-o", str(tmp_path)
    )
    assert done.returncode != 0
    assert "There is no frame 60" in done.stdout + done.stderr
    assert "frames are 0 to 59" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
