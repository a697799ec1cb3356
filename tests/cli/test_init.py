"""From files of the microscope to an environment that runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from cyto_kedro.cli.guess import blob_diameter, from_name, guess
from cyto_kedro.cli.init import Wanted, write_environment
from cyto_kedro.cli.init_files import rows_of
from cyto_kedro.core.errors import InputError
from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import SimulationParams
from nd2_file import write_nd2
from project import Project


def discs(radius, n=9, size=120):
    y, x = np.mgrid[:size, :size]
    plane = np.full((size, size), 100.0)
    for number in range(n):
        cy, cx = 20 + 40 * (number // 3), 20 + 40 * (number % 3)
        plane[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = 900
    return plane


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CD8-GFP", "effector"),
        ("T cell", "effector"),
        ("NK_CFSE", "effector"),
        ("PI", "death"),
        ("SYTOX Green", "death"),
        ("CellEvent Caspase-3/7", "death"),
        ("Raji mCherry", "target"),
        ("Brightfield", "ignore"),
        ("pixel", None),
        ("GFP", None),
    ],
)
def test_names_tell_the_role(name, kind):
    assert from_name(name) == kind


def test_content_tells_when_names_do_not():
    planes = {"gfp": discs(12), "rfp": discs(5)}
    found = guess(planes, {})
    assert {n: g.kind for n, g in found.items()} == {"gfp": "target", "rfp": "effector"}
    assert guess(planes, {"gfp": "effector"})["rfp"].kind == "target"
    assert found["rfp"].diameter_px == pytest.approx(10, rel=0.15)
    assert np.isnan(blob_diameter(np.zeros((30, 30))))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project.create(tmp_path_factory.mktemp("init") / "project")


@pytest.fixture(scope="module")
def movie_folder(tmp_path_factory):
    """Two positions of a three-channel movie, as one OME-TIFF each."""
    folder = tmp_path_factory.mktemp("microscope")
    for number, name in enumerate(["well A1", "well B1"]):
        options = SimulationParams(
            n_frames=4,
            height_px=128,
            width_px=128,
            n_effectors=5,
            n_targets=4,
            seed=number,
        )
        simulated = simulate(options)
        planes = [simulated.stack(k).compute() for k in ("tcell", "cancer", "death")]
        stack = np.stack(planes, axis=1)
        metadata = {
            "axes": "TCYX",
            "Channel": {"Name": ["CD8 GFP", "mCherry", "SYTOX"]},
            "PhysicalSizeX": 0.65,
            "PhysicalSizeY": 0.65,
            "TimeIncrement": 2.0,
            "TimeIncrementUnit": "min",
        }
        tifffile.imwrite(folder / f"{name}.ome.tif", stack, ome=True, metadata=metadata)
    return folder


@pytest.mark.slow
def test_from_a_folder_to_segmented_cells(project, movie_folder):
    done = project.kedro("cyto", "init", str(movie_folder), "--env", "mine")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cd8_gfp: effector (by its name)" in done.stdout
    assert "kedro run --env mine" in done.stdout
    conf = project.folder / "conf" / "mine"
    assert (conf / "channels.png").read_bytes().startswith(b"\x89PNG")
    settings = yaml.safe_load((conf / "globals.yml").read_text())
    assert {n: r["kind"] for n, r in settings["roles"].items()} == {
        "cd8_gfp": "effector",
        "mcherry": "target",
    }
    assert settings["markers"] == {"sytox": {"channel": "sytox", "kind": "death"}}
    assert settings["pixel_size_um"] is None  # the files say it
    sheet = pd.read_csv(conf / "experiment.csv")
    assert sheet["movie"].tolist() == ["well_A1", "well_B1"]
    assert {"donor", "condition", "control"} <= set(sheet.columns)

    done = project.kedro("run", "--env", "mine", "--pipeline=segmentation")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    made = project.folder / "data" / "02_intermediate" / "mine" / "well_B1"
    assert list(made.rglob("*labels*"))
    # The last thing that a run says is where to look.
    said = "".join((done.stdout + done.stderr).split())
    folder = project.runs("segmentation")[0].relative_to(project.folder)
    assert said.endswith(f"Results:{folder.as_posix()}")

    before = (conf / "globals.yml").read_bytes()
    again = project.kedro("cyto", "init", str(movie_folder), "--env", "mine")
    assert again.returncode != 0 and "--force" in again.stdout + again.stderr
    assert (conf / "globals.yml").read_bytes() == before


def wanted(**values):
    given = {"kinds": {}, "z": None, "pixel_size_um": None, "frame_interval_min": None}
    return Wanted(
        **{"env": "mine", "place": "in_place", "force": False} | given | values
    )


def ask_nothing(missing):
    raise AssertionError(f"asked for {missing}")


@pytest.fixture(scope="module")
def nd2_file(tmp_path_factory):
    """Two positions, two channels, stamps that are not regular."""
    pytest.importorskip("bioio_nd2")
    frame = np.stack([discs(5), discs(12)])
    pixels = np.broadcast_to(frame[None, None, None], (3, 2, 1, *frame.shape))
    times = np.array([0.0, 60e3, 200e3])[:, None, None] + np.array([[[0.0], [5e3]]])
    path = tmp_path_factory.mktemp("nd2") / "exp 1.nd2"
    names = ["488", "561"]
    return write_nd2(path, pixels.astype(np.uint16), names, ["A1", "B2"], times, 0.5)


def test_each_position_of_a_file_is_a_movie_and_nothing_is_asked(nd2_file, tmp_path):
    conf = tmp_path / "conf"
    folder, guesses = write_environment(
        [nd2_file], wanted(), conf, tmp_path, ask_nothing
    )
    kinds = {name: g.kind for name, g in guesses.items()}
    assert kinds == {"channel_488": "effector", "channel_561": "target"}
    sheet = pd.read_csv(folder / "experiment.csv")
    assert sheet["movie"].tolist() == ["exp_1_A1", "exp_1_B2"]
    assert sheet["scene"].tolist() == ["A1", "B2"]
    settings = yaml.safe_load((folder / "globals.yml").read_text())
    assert settings["channels"]["channel_561"] == {
        "files": "<files>",
        "scene": "<scene>",
        "index": 1,
    }
    # The file says both, so that nobody has to.
    assert settings["pixel_size_um"] is None
    assert settings["frame_interval_min"] is None
    told = yaml.safe_load((folder / "parameters_analysis.yml").read_text())
    sizes = {n: p["method"]["diameter_um"] for n, p in told["segmentation"].items()}
    assert sizes == pytest.approx({"channel_488": 5, "channel_561": 12}, rel=0.15)
    from PIL import Image

    with Image.open(folder / "channels.png") as picture:
        assert picture.size[0] > 600 and picture.size[1] > 400


def test_images_are_chosen_by_name(nd2_file, tmp_path):
    options = wanted(scenes=("B*",))
    folder, _ = write_environment([nd2_file], options, tmp_path, tmp_path, ask_nothing)
    assert pd.read_csv(folder / "experiment.csv")["scene"].tolist() == ["B2"]
    with pytest.raises(InputError, match=r"(?s)No movie is left.*'A1'.*--scene"):
        rows_of([nd2_file], ("C1",))


@pytest.mark.real_data
def test_images_that_are_no_movies_are_left_out_with_the_reason(real_data):
    pytest.importorskip("bioio_lif")
    folder = real_data / "formats"
    with pytest.raises(InputError, match=r"(?s)No movie.*'xzt'.*vertical sections"):
        rows_of([folder / "testdata_2channel_xz.lif"])
    with pytest.raises(InputError, match="scans 20 wavelengths"):
        rows_of([folder / "LeicaLASX_wavelength-sweep_example.lif"])


@pytest.mark.real_data
def test_only_what_a_file_does_not_say_is_asked(real_data, tmp_path, caplog):
    """This one has pixel sizes and no times; its reader would log two tracebacks."""
    pytest.importorskip("bioio_czi")
    asked = []

    def ask(missing):
        asked.extend(missing)
        return [2.0]

    path = real_data / "formats" / "tiles_time_z.czi"
    write_environment([path], wanted(z=1), tmp_path, tmp_path, ask)
    assert asked == ["time between frames (min)"]
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.slow
def test_what_no_file_says_must_be_given(project, tmp_path):
    path = tmp_path / "plain.tif"
    plain = np.stack([discs(9)] * 3).astype(np.uint16)
    tifffile.imwrite(path, plain, photometric="minisblack")
    words = ("cyto", "init", str(path), "--env", "plain", "--role", "channel_0=target")
    done = project.kedro(*words)
    told = "give --pixel-size-um and --frame-interval-min"
    assert done.returncode != 0 and told in done.stdout + done.stderr
    assert not (project.folder / "conf" / "plain").exists()
    done = project.kedro(
        *words, "--pixel-size-um", "0.5", "--frame-interval-min", "3", "--copy"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    copied = project.folder / "data" / "01_raw" / "plain" / "plain.tif"
    assert copied.read_bytes() == path.read_bytes()
    text = (project.folder / "conf" / "plain" / "globals.yml").read_text()
    settings = yaml.safe_load(text)
    assert (settings["pixel_size_um"], settings["frame_interval_min"]) == (0.5, 3)
