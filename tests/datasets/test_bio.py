"""Microscope files and files that hold several positions or planes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import tifffile
import zarr

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets.bio import bio_calibration, open_bio
from cyto_kedro.datasets.facts import scenes_of
from cyto_kedro.datasets.sources import read_stack
from nd2_file import write_nd2

SHAPE = (4, 2, 3, 16, 20)  # T, C, Z, Y, X


def stack(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(1, 999, shape).astype(np.uint16)


def write_positions(path, stacks, names, stamps_s=None):
    """An OME-TIFF as microscopes write it: one image per position."""
    with tifffile.TiffWriter(path, ome=True) as tif:
        for data, name in zip(stacks, names, strict=True):
            t, c, z = data.shape[:3]
            metadata = {
                "axes": "TCZYX",
                "Name": name,
                "Channel": {"Name": ["CD8", "tumour"]},
                "PhysicalSizeX": 0.5,
                "PhysicalSizeY": 0.5,
            }
            if stamps_s is not None:
                each = [stamps_s[i] for i in range(t) for _ in range(c * z)]
                metadata["Plane"] = {
                    "DeltaT": each,
                    "DeltaTUnit": ["s"] * len(each),
                }
            tif.write(data, photometric="minisblack", metadata=metadata)
    return path


@pytest.fixture(scope="module")
def positions(tmp_path_factory):
    path = tmp_path_factory.mktemp("ome") / "exp.ome.tif"
    return write_positions(
        path, [stack(0), stack(1)], ["A1", "B2"], stamps_s=[0, 60, 121, 300]
    )


@pytest.mark.parametrize(("scene", "seed"), [("A1", 0), ("B2", 1), (1, 1), ("0", 0)])
def test_a_position_is_taken_by_name_or_number(positions, scene, seed):
    raw = read_stack(positions, 1, None, scene, 2)
    assert raw.data.chunks == ((1,) * 4, (16,), (20,))
    np.testing.assert_array_equal(raw.data.compute(), stack(seed)[:, 1, 2])


def test_the_stack_is_projected_only_when_asked(positions):
    raw = read_stack(positions, 0, None, "B2", "max")
    np.testing.assert_array_equal(raw.data.compute(), stack(1)[:, 0].max(axis=1))
    with pytest.raises(InputError, match=r"(?s)Z stack of 3.*'z: max'.*'z: 0' to"):
        read_stack(positions, 0, None, "B2", None)
    with pytest.raises(InputError, match="no plane 3"):
        read_stack(positions, 0, None, "B2", 3)


def test_irregular_time_stamps_and_pixel_size_are_kept(positions):
    raw = read_stack(positions, 0, None, "A1", 0)
    assert raw.frame_times_min == pytest.approx((0, 1, 121 / 60, 5))
    assert raw.pixel_size_um == (0.5, 0.5)


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (None, r"(?s)holds 2 images.*A1.*B2.*scene: <scene>"),
        ("C3", r"(?s)no image 'C3'.*A1.*B2"),
        (2, "no image '2'"),
    ],
)
def test_a_wrong_position_names_the_choices(positions, scene, message):
    with pytest.raises(InputError, match=message):
        read_stack(positions, 0, None, scene, 0)


def test_positions_of_an_ome_zarr_group(tmp_path):
    root = zarr.open_group(tmp_path / "exp.zarr", mode="w", zarr_format=3)
    root.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    for number, name in enumerate(["A1", "B2"]):
        image = root.create_group(str(number))
        image.create_array("0", data=stack(number), chunks=(1, 1, 1, 16, 20))
        image.attrs["ome"] = {
            "version": "0.5",
            "multiscales": [
                {
                    "name": name,
                    "axes": [{"name": axis} for axis in "tczyx"],
                    "datasets": [{"path": "0", "coordinateTransformations": []}],
                }
            ],
        }
    raw = read_stack(tmp_path / "exp.zarr", 1, None, "B2", "max")
    np.testing.assert_array_equal(raw.data.compute(), stack(1)[:, 1].max(axis=1))
    with pytest.raises(InputError, match="holds 2 images"):
        read_stack(tmp_path / "exp.zarr", 1, None, None, 0)


def test_a_missing_reader_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "exp.czi").write_bytes(b"ZISRAWFILE")
    monkeypatch.setitem(sys.modules, "bioio_czi", None)
    with pytest.raises(ConfigError, match=r"(?s)cyto-kedro\[bio\].*OME-TIFF"):
        read_stack(tmp_path / "exp.czi", 0, None)


@pytest.mark.parametrize("suffix", ["czi", "lif", "nd2"])
def test_a_damaged_file_is_refused_by_name(tmp_path, suffix):
    pytest.importorskip("bioio")
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(b"no microscope wrote this" * 40)
    with pytest.raises(InputError, match=rf"(?s){suffix.upper()}.*broken\.{suffix}"):
        read_stack(path, 0, None)


# -- ND2: files written chunk by chunk; the library nd2 opens them, too ----------------

_STAMPS_MS = np.array([0.0, 60e3, 121e3, 300e3])  # frame 3 came late


@pytest.fixture(scope="module")
def nd2_positions(tmp_path_factory):
    """Two positions, each a Z stack of two channels over time."""
    pytest.importorskip("bioio_nd2")
    path = tmp_path_factory.mktemp("nd2") / "exp.nd2"
    pixels = np.stack([stack(0), stack(1)], axis=1)  # T, position, C, Z, Y, X
    later = np.array([0.0, 5e3])[:, None] + np.array([0.0, 200.0, 400.0])
    times = _STAMPS_MS[:, None, None] + later
    names = ["CD8 GFP", "tumour"]
    return write_nd2(path, np.moveaxis(pixels, 2, 3), names, ["A1", "B2"], times, 0.65)


def test_an_nd2_file_is_one_for_the_library_nd2(nd2_positions):
    nd2 = pytest.importorskip("nd2")
    with nd2.ND2File(nd2_positions) as file:
        assert file.sizes == {"T": 4, "P": 2, "Z": 3, "C": 2, "Y": 16, "X": 20}
        pixels = file.asarray()
        assert [event["Time [s]"] for event in file.events()][3] == 5.0
    np.testing.assert_array_equal(pixels[:, 1, :, 0], stack(1)[:, 0])


@pytest.mark.parametrize(("scene", "seed"), [("A1", 0), ("B2", 1), (1, 1)])
def test_positions_planes_and_channels_of_an_nd2_file(nd2_positions, scene, seed):
    raw = read_stack(nd2_positions, 1, None, scene, 2)
    assert raw.data.chunks == ((1,) * 4, (16,), (20,))
    np.testing.assert_array_equal(raw.data.compute(), stack(seed)[:, 1, 2])
    highest = read_stack(nd2_positions, 0, None, scene, "max").data.compute()
    np.testing.assert_array_equal(highest, stack(seed)[:, 0].max(axis=1))


def test_an_nd2_file_says_its_channels_pixel_size_and_irregular_times(nd2_positions):
    assert [(s.name, s.channels, s.many) for s in scenes_of(nd2_positions)] == [
        ("A1", ("CD8 GFP", "tumour"), True),
        ("B2", ("CD8 GFP", "tumour"), True),
    ]
    raw = read_stack(nd2_positions, 0, None, "B2", 0)
    assert raw.pixel_size_um == (0.65, 0.65)
    # Since its own first frame; the file's clock resolves 0.1 ms.
    assert raw.frame_times_min == pytest.approx(_STAMPS_MS / 60e3, abs=1e-5)
    with pytest.raises(InputError, match=r"(?s)holds 2 images.*A1.*B2"):
        read_stack(nd2_positions, 0, None, None, 0)
    with pytest.raises(InputError, match="Z stack of 3"):
        read_stack(nd2_positions, 0, None, "A1", None)


def test_an_nd2_file_of_one_position_that_nobody_calibrated(tmp_path):
    """Its reader says a pixel is 1 um wide; nobody measured that."""
    pytest.importorskip("bioio_nd2")
    pixels = stack()[:, None, None, :, 0]
    times = _STAMPS_MS[:, None, None]
    path = write_nd2(tmp_path / "a.nd2", pixels, ["GFP", "PI"], ["A1"], times, None)
    raw = read_stack(path, 1, None)
    assert raw.pixel_size_um is None
    np.testing.assert_array_equal(raw.data.compute(), stack()[:, 1, 0])
    assert raw.frame_times_min == pytest.approx((0, 1, 121 / 60, 5), abs=1e-5)


@pytest.mark.real_data
def test_a_czi_file(real_data):
    """Against another reader of the format; stamps as the file's sub-blocks say."""
    czi = pytest.importorskip("aicspylibczi")
    path = real_data / "formats" / "CD_s_1_t_3_c_2_z_5.czi"
    raw = read_stack(path, 1, None, None, "max")
    assert raw.data.shape == (3, 170, 240)
    assert raw.data.chunks[0] == (1, 1, 1)
    truth, _ = czi.CziFile(path).read_image(C=1, T=2)
    np.testing.assert_array_equal(raw.data[2].compute(), np.squeeze(truth).max(axis=0))
    assert raw.pixel_size_um == pytest.approx((0.0905767, 0.0905767), rel=1e-5)
    assert raw.frame_times_min is not None
    assert raw.frame_times_min[0] == 0
    assert np.diff(raw.frame_times_min) == pytest.approx([1.0, 1.0], abs=0.02)
    with pytest.raises(InputError, match="Z stack of 5"):
        read_stack(path, 1, None)


@pytest.mark.real_data
def test_a_czi_of_tiles_is_stitched(real_data):
    pytest.importorskip("bioio_czi")
    path = real_data / "formats" / "tiles_time_z.czi"
    raw = read_stack(path, 0, None, None, 1)
    assert raw.data.shape == (2, 512, 512)
    assert raw.data[1].compute().any()


@pytest.mark.real_data
def test_a_lif_file_of_several_images(real_data):
    """Stamps against the length that Leica states: 20 frames in 10.07 s."""
    pytest.importorskip("bioio_lif")
    path = real_data / "formats" / "testdata_2channel_xz.lif"
    with pytest.raises(InputError, match=r"(?s)holds 3 images.*xzt.*xzy"):
        read_stack(path, 0, None)
    with pytest.raises(InputError, match=r"(?s)'xzt'.*vertical sections"):
        read_stack(path, 1, None, "xzt", "max")
    image = open_bio(path)
    image.set_scene("xzt")
    _, interval, times = bio_calibration(image, 0, 20)
    assert interval == pytest.approx(10.07 / 19 / 60)
    assert times is not None and times[-1] == pytest.approx(10.07 / 60, rel=0.01)


@pytest.mark.real_data
def test_a_lif_that_scans_wavelengths_is_refused(real_data):
    pytest.importorskip("bioio_lif")
    path = real_data / "formats" / "LeicaLASX_wavelength-sweep_example.lif"
    with pytest.raises(InputError, match="scans 20 wavelengths"):
        read_stack(path, 0, None, "x_y_lambdaEmi")
