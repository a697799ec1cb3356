"""ANTs' transforms, told by analytic truth; equal in every process; nothing left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from cyto_kedro.methods.preprocessing import _ants
from cyto_kedro.methods.preprocessing.ants_registration import (
    AntsRegistration,
    ants_registration,
)

SIZE = 160
VARIABLES = ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "ANTS_RANDOM_SEED")


def moves(kind):
    """Where a cell lies at frame t; frame 0 is the reference."""
    angle, scale = {
        "translation": (0, 1),
        "rigid": (1.5, 1),
        "affine": (1.0, 1.01),
        "syn": (0, 1),
    }[kind]
    wave = 2.0 if kind == "syn" else 0.0

    def move(places, t):
        turn = np.deg2rad(angle * t)
        c, s = scale**t * np.cos(turn), scale**t * np.sin(turn)
        middle = (SIZE - 1) / 2
        turned = (places - middle) @ np.array([[c, s], [-s, c]]) + middle
        bent = wave * t * np.sin(2 * np.pi * places[:, ::-1] / 320)
        return turned + bent + np.array([2.4, -3.7]) * t

    return move


def registered(movie, kind, **more):
    return ants_registration(movie, AntsRegistration(transform=kind, **more))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "limit"),
    [("translation", 0.3), ("rigid", 0.2), ("affine", 0.4), ("syn", 1.1)],
)
def test_the_truth_is_found(make_placed, error_px, kind, limit):
    move = moves(kind)
    movie = make_placed(move, 3, size=SIZE)
    before = movie.copy()
    found = registered(movie, kind)
    assert found.trusted.all()
    assert (found.fields is not None) == (kind == "syn")
    rim = 32 if kind == "syn" else 8  # SyN is stiff at the border
    for t, transform in enumerate(found.filled()):
        error = error_px(transform, move, t, movie.shape[1:], rim)
        assert np.sqrt(np.mean(error**2)) < limit
    np.testing.assert_array_equal(movie, before)


@pytest.mark.slow
def test_syn_follows_what_an_affine_cannot(make_placed, error_px):
    move = moves("syn")
    movie = make_placed(move, 3, size=SIZE)
    errors = {
        kind: error_px(registered(movie, kind).filled()[2], move, 2, movie.shape[1:])
        for kind in ("affine", "syn")
    }
    rms = {kind: np.sqrt(np.mean(error**2)) for kind, error in errors.items()}
    assert rms["syn"] < 0.7 * rms["affine"]


@pytest.mark.slow
def test_references_blank_frames_and_growing_rotation(make_placed, error_px):
    move = moves("rigid")
    movie = make_placed(move, 5, size=SIZE)
    movie[2] = 65535
    for reference in ("first", "previous"):
        found = registered(movie, "rigid", reference=reference)
        assert np.flatnonzero(~found.trusted).tolist() == [2]
        last = error_px(found.filled()[4], move, 4, movie.shape[1:])
        assert np.sqrt(np.mean(last**2)) < 0.2


SCRIPT = """
import json, sys
import numpy as np
from cyto_kedro.methods.preprocessing.ants_registration import *
movie = np.load(sys.argv[1])
found = ants_registration(movie, AntsRegistration(transform="syn"))
print(json.dumps([found.shifts.tolist(), found.linear.tolist(), found.fields.tolist()]))
"""


@pytest.mark.slow
def test_two_processes_agree_to_the_last_bit(make_placed, tmp_path):
    movie = make_placed(moves("syn"), 2, size=96)
    np.save(tmp_path / "movie.npy", movie)
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "movie.npy")],
        env=environment | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    here = registered(movie, "syn")
    assert here.linear is not None and here.fields is not None
    theirs = json.loads(done.stdout)
    assert theirs == [
        here.shifts.tolist(),
        here.linear.tolist(),
        here.fields.tolist(),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["movie.npy"]


@pytest.mark.parametrize("given", [None, "4"])
def test_folder_and_environment_are_put_back_even_after_an_error(
    monkeypatch, tmp_path, given
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        if given is not None:
            monkeypatch.setenv(name, given)
    with (
        pytest.raises(RuntimeError, match="ANTs"),
        _ants.reproducible(7) as folder,
    ):
        assert [os.environ[name] for name in VARIABLES] == ["1", "7"]
        (folder / "found_1Warp.nii.gz").write_bytes(b"large")
        raise RuntimeError("ANTs gave up")
    assert [os.environ.get(name) for name in VARIABLES] == [given, given]
    assert list(Path(tmp_path).iterdir()) == []
