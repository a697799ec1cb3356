"""Bad data are refused with what, where and what to do; nothing is half-written.

Bad configuration has its own table in `test_bad_input.py`.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from kedro.io import DatasetError

from cyto_kedro.core.errors import CytoError
from cyto_kedro.core.frames import map_frames
from cyto_kedro.datasets import ChannelDataset, OmeZarrDataset
from cyto_kedro.pipelines.ingest.nodes import check_channels
from cyto_kedro.pipelines.ingest.params import IngestParams
from project import Project

CHANNELS = ("cancer", "death")
GLOBALS = """
dataset: mine
sheet: data/01_raw/mine/sheet.csv
channels: {cancer: {files: <movie>/cancer.tif}, death: {files: <movie>/death.tif}}
roles: {cancer: {kind: target, channels: [cancer]}}
markers: {}
"""


def moving_cell(n=6, size=64, seed=0):
    """One bright cell that moves, on noise: TYX uint16."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    frames = [
        300
        + 2000 * np.exp(-((y - 30) ** 2 + (x - 20 - 2 * t) ** 2) / 120)
        + chance.normal(0, 15, (size, size))
        for t in range(n)
    ]
    return np.stack(frames).astype(np.uint16)


def with_pixel(value):
    """A float movie with one impossible pixel in frame 4."""
    stack = moving_cell().astype(np.float32)
    stack[4, 5, 6] = value
    return stack


def write(path, stack, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"photometric": "minisblack", "compression": "zlib"} | options
    tifffile.imwrite(path, stack, **options)


def scramble(path, frame):
    """Overwrite the compressed pixels of one page; the file's structure stays."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[frame]
        start, count = page.dataoffsets[0], page.databytecounts[0]
    content = bytearray(path.read_bytes())
    content[start : start + count] = b"\xff" * count
    path.write_bytes(bytes(content))


def good(folder):
    write(folder / "cancer.tif", moving_cell())
    write(folder / "death.tif", moving_cell(seed=1))


def cancer(stack, **options):
    def replace(folder):
        write(folder / "cancer.tif", stack, **options)

    return replace


def truncated(folder):
    path = folder / "cancer.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def all_black(folder):
    for channel in CHANNELS:
        write(folder / f"{channel}.tif", np.zeros((6, 64, 64), np.uint16))


# movie id: (what is wrong with a good movie, what the user reads)
MOVIES = {
    "truncated": (truncated, ["truncated", "truncated/cancer.tif", "copy"]),
    "no_bytes": (
        lambda folder: (folder / "cancer.tif").write_bytes(b""),
        ["TIFF", "no_bytes/cancer.tif"],
    ),
    "damaged_frame": (
        lambda folder: scramble(folder / "cancer.tif", 3),
        ["cannot be read", "damaged_frame/cancer.tif, frame 3", "copy"],
    ),
    "shorter": (
        cancer(moving_cell(5)),
        ["differ in frames", "cancer: 5 x 64 x 64", "death: 6 x 64 x 64"],
    ),
    "smaller": (
        cancer(moving_cell(size=60)),
        ["differ in frames or pixels", "cancer: 6 x 60 x 60", "death: 6 x 64 x 64"],
    ),
    "rgb": (
        cancer(np.zeros((6, 64, 64, 3), np.uint8), photometric="rgb"),
        ["RGB", "rgb/cancer.tif"],
    ),
    "complex": (
        cancer(moving_cell().astype(np.complex64), compression=None),
        ["complex64", "complex/cancer.tif", "float image"],
    ),
    "yes_or_no": (
        cancer(moving_cell() > 400, compression=None),
        ["bool", "yes_or_no/cancer.tif", "export"],
    ),
    "empty_channel": (
        cancer(np.full((6, 64, 64), 100, np.uint16)),
        ["channel cancer is blank", "100", "movie empty_channel", "allow_blank"],
    ),
    "all_black": (all_black, ["blank", "movie all_black", "allow_blank"]),
    "not_a_number": (
        cancer(with_pixel(np.nan)),
        ["1 of 4096 pixels are NaN", "channel cancer, frame 4", "image_range"],
    ),
    "infinite": (
        cancer(with_pixel(np.inf)),
        ["1 of 4096 pixels", "infinite", "channel cancer, frame 4", "image_range"],
    ),
}
FINE = ("plain", "one_frame", "one_empty_frame")


def write_fine(raw):
    good(raw / "plain")
    for channel in CHANNELS:
        write(raw / "one_frame" / f"{channel}.tif", moving_cell(1))
    good(raw / "one_empty_frame")
    stack = moving_cell()
    stack[2] = np.random.default_rng(5).normal(300, 15, (64, 64))
    write(raw / "one_empty_frame" / "cancer.tif", stack)


def new_project(folder, movies, text=GLOBALS):
    made = Project.create(folder)
    raw = folder / "data" / "01_raw" / "mine"
    raw.mkdir(parents=True)
    (raw / "sheet.csv").write_text("\n".join(["movie", *movies]) + "\n")
    made.configure("globals.yml", text)
    return made, raw


def files_of(folder):
    """Files at any depth but for locks, which stay behind empty."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if path.suffix != ".lock" and path.name != ".lock"]


def nothing_was_computed(project):
    """The run's record and manifest are all that there is."""
    assert files_of(project.folder / "data" / "02_intermediate") == []
    records = {"run_metadata.json", "provenance_manifest.json"}
    made = {path.name for path in files_of(project.folder / "data" / "08_reporting")}
    assert made <= records


def staged_names(folder):
    return [
        path
        for path in folder.rglob(".*")
        if path.name.endswith((".partial", ".retired"))
    ]


# -- without the command line ---------------------------------------------------------


def ingest(folder):
    layout = {
        "data_root": str(folder),
        "scratch_root": str(folder / "scratch"),
        "output_root": str(folder / "output"),
        "dataset": "mine",
        "sheet": str(folder / "mine" / "sheet.csv"),
        "channels": {name: {"files": f"<movie>/{name}.tif"} for name in CHANNELS},
        "roles": {"cancer": {"kind": "target", "channels": ["cancer"]}},
    }
    raws = [ChannelDataset(layout, "bad", name).load() for name in CHANNELS]
    return check_channels(IngestParams(pixel_size_um=1, frame_interval_min=1), *raws)


@pytest.mark.parametrize("case", MOVIES)
def test_ingest_refuses(tmp_path, case):
    spoil, expected = MOVIES[case]
    good(tmp_path / "mine" / "bad")
    (tmp_path / "mine" / "sheet.csv").write_text("movie\nbad\n")
    calibration, _ = ingest(tmp_path)
    assert calibration.n_frames == 6, "the movie was good before it was spoilt"
    spoil(tmp_path / "mine" / "bad")
    with pytest.raises((CytoError, DatasetError)) as caught:
        ingest(tmp_path)
    said = str(caught.value)
    for part in expected:
        assert part.replace(f"{case}/", "bad/").replace(
            f"movie {case}", "movie bad"
        ) in (said)
    assert "what to do:" in said


def test_an_error_in_lazy_work_names_dataset_and_frame(tmp_path):
    def divide(plane, frame):
        if frame == 3:
            raise ZeroDivisionError("no background")
        return plane

    lazy = map_frames(divide, moving_cell(), dtype=np.uint16, with_index=True)
    target = tmp_path / "cancer" / "image.zarr"
    with pytest.raises((CytoError, DatasetError)) as caught:
        OmeZarrDataset(target).save(lazy)
    said = str(caught.value)
    assert "frame 3" in said
    assert str(target) in said
    assert "no background" in said
    assert list(target.parent.iterdir()) == []


FULL = """
import resource, sys
import numpy as np
from cyto_kedro.core.errors import StorageError
from cyto_kedro.datasets import OmeZarrDataset

noise = np.random.default_rng(0).integers(0, 65536, (4, 256, 256)).astype(np.uint16)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    OmeZarrDataset(sys.argv[1]).save(noise)
except Exception as exc:
    chain = [exc, exc.__cause__]
    assert any(isinstance(e, StorageError) for e in chain), repr(exc)
    raise SystemExit(f"REFUSED {exc}")
"""


def test_a_full_disk_keeps_the_previous_store(tmp_path):
    """No frame fits below the limit; the error is the system's own (EFBIG)."""
    target = tmp_path / "image.zarr"
    before = np.zeros((2, 8, 8), np.uint16)
    OmeZarrDataset(target).save(before)
    command = [sys.executable, "-c", FULL, str(target)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "REFUSED" in done.stderr, done.stderr
    assert "Cannot write" in done.stderr
    assert str(target) in done.stderr
    assert "free space" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["image.zarr"]
    np.testing.assert_array_equal(OmeZarrDataset(target).load().compute(), before)


# -- the real command line ------------------------------------------------------------


@pytest.fixture(scope="module")
def bad_run(tmp_path_factory):
    """One run over all bad movies and a few good ones."""
    ids = [*MOVIES, *FINE]
    project, raw = new_project(tmp_path_factory.mktemp("bad data") / "p", ids)
    write_fine(raw)
    for name, (spoil, _) in MOVIES.items():
        good(raw / name)
        spoil(raw / name)
    return project, project.kedro("run")


def complaint(text, movie):
    """What the final message says about one movie."""
    listing = text[text.rindex("movies failed") :]
    entries = re.split(r"\n {2}- (?=\w+: in node)", listing)[1:]
    return next(entry for entry in entries if entry.startswith(f"{movie}:"))


@pytest.mark.slow
@pytest.mark.parametrize("movie", MOVIES)
def test_a_bad_movie_is_named_with_what_and_where(bad_run, movie):
    project, done = bad_run
    said = complaint(done.stdout + done.stderr, movie)
    for part in ["in node ingest.check_channels", "what to do:", *MOVIES[movie][1]]:
        assert part in said, said
    assert "Traceback" not in said
    record = next(m for m in project.metadata()["movies"] if m["movie"] == movie)
    assert record["status"] == "failed"
    assert record["node"] == "ingest.check_channels"


@pytest.mark.slow
@pytest.mark.parametrize("movie", MOVIES)
def test_a_bad_movie_leaves_nothing(bad_run, movie):
    project, done = bad_run
    assert f"{movie}: in node" in done.stdout + done.stderr, "it was begun"
    scratch = project.folder / "data" / "02_intermediate" / "mine" / movie
    assert files_of(scratch) == []
    assert files_of(project.runs()[-1] / movie) == []
    assert staged_names(project.folder / "data") == []


@pytest.mark.slow
def test_the_run_fails_and_the_good_movies_are_complete(bad_run):
    project, done = bad_run
    assert done.returncode != 0
    total = len(MOVIES) + len(FINE)
    assert f"{len(MOVIES)} of {total} movies failed" in done.stdout + done.stderr
    assert project.metadata()["status"] == "failed"
    for movie in FINE:
        table = pd.read_parquet(project.runs()[-1] / movie / "result_table.parquet")
        assert len(table) >= 1, movie


@pytest.mark.slow
def test_one_frame_and_a_frame_without_cells_work(bad_run):
    project, _ = bad_run
    one = pd.read_parquet(project.runs()[-1] / "one_frame" / "result_table.parquet")
    assert set(one["t"]) == {0}
    assert one["ch0_signal"].max() > 1000, "the cell is among those found"
    empty = project.folder / "data/02_intermediate/mine/one_empty_frame/cytotoxicity"
    counts = pd.read_parquet(empty / "cancer" / "frame_counts.parquet")
    assert len(counts) == 6
    assert counts.set_index("frame")["n_cells"].gt(0).tolist() == [
        frame != 2 for frame in range(6)
    ]


@pytest.mark.slow
def test_a_frame_that_goes_bad_later_names_node_dataset_and_frame(bad_run):
    """The error arises while the dataset of `cancer.preprocess` saves itself."""
    project, _ = bad_run
    scratch = project.folder / "data/02_intermediate/mine/plain/cytotoxicity/cancer"
    before = zarr.open(str(scratch / "image.zarr"), mode="r")
    before = np.asarray(before["0"])
    scramble(project.folder / "data/01_raw/mine/plain/cancer.tif", 3)
    done = project.kedro(
        "run",
        "--pipelines=cytotoxicity",
        "--from-nodes=cancer.preprocess",
        "--params=movies=plain",
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    said = said[said.rindex("movies failed") :]
    for part in (
        "in node cancer.preprocess",
        "plain/cancer.tif",
        "frame 3",
        str(scratch / "image.zarr"),
        "what to do:",
    ):
        assert part in said, said
    # The earlier store is whole but no longer vouched for.
    after = zarr.open(str(scratch / "image.zarr"), mode="r")
    np.testing.assert_array_equal(np.asarray(after["0"]), before)
    assert not (scratch / "image.zarr.sidecar.json").exists()
    assert staged_names(project.folder / "data") == []


@pytest.mark.slow
def test_missing_files_of_one_movie_refuse_the_run_before_it_begins(tmp_path):
    project, raw = new_project(tmp_path / "p", ["plain", "gone"])
    good(raw / "plain")
    good(raw / "gone")
    (raw / "gone" / "death.tif").unlink()
    done = project.kedro("run")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Raw files are missing" in said
    assert "movie gone, channel death" in said
    assert str(raw / "gone" / "death.tif") in said
    assert "channel cancer" not in said
    assert "what to do:" in said
    nothing_was_computed(project)


@pytest.mark.slow
def test_duplicate_ids_refuse_the_run_before_it_begins(tmp_path):
    project, raw = new_project(tmp_path / "p", ["plain", "plain"])
    good(raw / "plain")
    done = project.kedro("run")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Duplicate movie ids: plain" in said
    assert "sheet.csv" in said
    assert "its own id" in said
    nothing_was_computed(project)


@pytest.mark.slow
def test_a_disk_that_fills_up_fails_the_movie_that_filled_it(tmp_path):
    """Files above a limit cannot be written, as on a full disk; small ones can."""
    project, raw = new_project(tmp_path / "p", ["large", "small"])
    noise = np.random.default_rng(0).integers(0, 65536, (2, 1024, 1024))
    for channel in CHANNELS:
        write(raw / "large" / f"{channel}.tif", noise.astype(np.uint16))
    good(raw / "small")
    limit = 1_000_000  # bytes: a frame of noise has 2 MB and does not compress

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        project.command("run"),
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=full,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    said = said[said.rindex("movies failed") :]
    for part in ("large: in node", "Cannot write", "image.zarr", "free space"):
        assert part in said, said
    scratch = project.folder / "data" / "02_intermediate" / "mine"
    assert not list((scratch / "large").rglob("*.zarr"))
    assert staged_names(project.folder / "data") == []
    fates = {m["movie"]: m["status"] for m in project.metadata()["movies"]}
    assert fates == {"large": "failed", "small": "completed"}
    for sidecar in scratch.rglob("*.sidecar.json"):
        output = Path(str(sidecar).removesuffix(".sidecar.json"))
        assert output.exists()
        assert json.loads(sidecar.read_text())["size_bytes"] > 0
