"""Raw channels: every format in, one lazy TYX stack out, and nothing ever written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DatasetError

from cyto_kedro.core.errors import InputError, StorageError
from cyto_kedro.datasets import ChannelDataset, MasksDataset
from cyto_kedro.datasets.numbering import frame_order
from cyto_kedro.datasets.sources import read_stack
from cyto_kedro.datasets.store import create_store
from cyto_kedro.datasets.streaming import write_frames
from cyto_kedro.datasets.units import to_min, to_um


def movie(n=5, height=16, width=12, dtype=np.uint16):
    values = np.random.default_rng(3).integers(0, 200, (n, height, width))
    return values.astype(dtype)


def read(path, index=None, axes=None):
    return read_stack(Path(path), index, axes)


def two_channels(n=5):
    return np.stack([movie(n), movie(n)[:, ::-1] + 300], axis=1)


def write_pages(path, stack, **options):
    """One page after the other, as microscopes write while they record."""
    with tifffile.TiffWriter(path) as tif:
        for plane in stack:
            tif.write(plane, contiguous=False, metadata=None, **options)


FORMS = {
    "contiguous": lambda p, a: tifffile.imwrite(p, a, photometric="minisblack"),
    "big-endian": lambda p, a: tifffile.imwrite(p, a, byteorder=">"),
    "bigtiff": lambda p, a: tifffile.imwrite(p, a, bigtiff=True),
    "pages": write_pages,
    "deflate pages": lambda p, a: write_pages(p, a, compression="zlib", predictor=True),
    "tiles": lambda p, a: write_pages(p, a, tile=(16, 16)),
    "strips": lambda p, a: write_pages(p, a, rowsperstrip=3),
    "imagej": lambda p, a: tifffile.imwrite(
        p, a, imagej=True, metadata={"axes": "TYX"}
    ),
    "ome": lambda p, a: tifffile.imwrite(p, a, ome=True, metadata={"axes": "TYX"}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_kind_of_tiff_stack(tmp_path, form, dtype):
    FORMS[form](tmp_path / "movie.tif", movie(dtype=dtype))
    raw = read(tmp_path / "movie.tif")
    assert raw.data.dtype == dtype and raw.data.dtype.isnative
    assert raw.data.chunks == ((1,) * 5, (16,), (12,))
    np.testing.assert_array_equal(raw.data.compute(), movie(dtype=dtype))
    np.testing.assert_array_equal(
        raw.data[1:4:2, 3:9, ::2].compute(), movie(dtype=dtype)[1:4:2, 3:9, ::2]
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", [0.3, 0.7, 0.97])
def test_a_truncated_tiff_is_refused_when_it_is_opened(tmp_path, form, part):
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    FORMS[form](whole, movie(height=64, width=64))
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match=r"(?s)cut\.tif.*copy"):
        read(cut)


def test_a_file_that_shrinks_after_opening_names_its_frame(tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, movie())
    data = read(path).data
    content = path.read_bytes()
    path.write_bytes(content[: 256 + 4 * movie()[0].nbytes + 10])
    data[:4].compute()
    with pytest.raises(InputError, match=r"movie\.tif, frame 4"):
        data[4].compute()


def test_text_in_place_of_a_tiff(tmp_path):
    (tmp_path / "movie.tif").write_text("moved to the archive")
    with pytest.raises(InputError, match="not a TIFF"):
        read(tmp_path / "movie.tif")


@pytest.mark.parametrize("axes", ["TCYX", "CTYX"])
@pytest.mark.parametrize("index", [0, 1])
def test_a_channel_of_an_ome_tiff(tmp_path, axes, index):
    both = two_channels()
    stored = both if axes == "TCYX" else both.transpose(1, 0, 2, 3)
    tifffile.imwrite(tmp_path / "m.ome.tif", stored, metadata={"axes": axes})
    raw = read(tmp_path / "m.ome.tif", index)
    np.testing.assert_array_equal(raw.data.compute(), both[:, index])


def test_a_channel_of_an_imagej_hyperstack(tmp_path):
    tifffile.imwrite(
        tmp_path / "m.tif", two_channels(), imagej=True, metadata={"axes": "TCYX"}
    )
    raw = read(tmp_path / "m.tif", 1)
    np.testing.assert_array_equal(raw.data.compute(), two_channels()[:, 1])
    with pytest.raises(InputError, match=r"(?s)2 channels.*index"):
        read(tmp_path / "m.tif")
    with pytest.raises(InputError, match="no channel 2"):
        read(tmp_path / "m.tif", 2)


def test_a_plain_stack_with_declared_axes(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", two_channels(), photometric="minisblack")
    raw = read(tmp_path / "m.tif", 1, "TCYX")
    np.testing.assert_array_equal(raw.data.compute(), two_channels()[:, 1])
    with pytest.raises(InputError, match=r"TYX was declared.*\(5, 2, 16, 12\)"):
        read(tmp_path / "m.tif", None, "TYX")


def test_planes_are_not_taken_for_time(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", movie(), imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(InputError, match=r"(?s)Z stack of 5.*axes: TYX"):
        read(tmp_path / "m.tif")
    raw = read(tmp_path / "m.tif", None, "TYX")
    np.testing.assert_array_equal(raw.data.compute(), movie())


def test_colour_pictures_are_refused(tmp_path):
    colour = np.zeros((16, 12, 3), np.uint8)
    tifffile.imwrite(tmp_path / "m.tif", colour, photometric="rgb")
    with pytest.raises(InputError, match="RGB"):
        read(tmp_path / "m.tif")


def test_one_frame(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", movie()[0])
    assert read(tmp_path / "m.tif").data.shape == (1, 16, 12)


def write_sequence(folder, numbers=range(5), name="im_{:05d}.tif", **options):
    folder.mkdir(exist_ok=True)
    for frame, number in enumerate(numbers):
        tifffile.imwrite(folder / name.format(number), movie()[frame], **options)


@pytest.mark.parametrize("name", ["im_{:05d}.tif", "im_{}.tif", "2024 s1 t{}.TIF"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_sequence_is_ordered_by_its_number(tmp_path, name, compression):
    write_sequence(tmp_path / "s", range(7, 12), name, compression=compression)
    raw = read(tmp_path / "s" / "*.[tT][iI][fF]")
    np.testing.assert_array_equal(raw.data.compute(), movie())
    np.testing.assert_array_equal(read(tmp_path / "s").data.compute(), movie())


def test_a_missing_frame_is_named(tmp_path):
    write_sequence(tmp_path / "s", [0, 1, 2, 4, 6])
    with pytest.raises(InputError, match=r"2 frame\(s\) are missing.*: 3, 5"):
        read(tmp_path / "s" / "im_*.tif")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a_1.tif", "b_2.tif"], "names differ"),
        (["t1_c1.tif", "t2_c2.tif"], "which one is the frame"),
        (["t1.tif", "t01.tif", "t2.tif"], "occurs in several"),
    ],
)
def test_names_without_an_order_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        frame_order([Path(name) for name in names])


@given(st.integers(0, 500), st.integers(2, 40), st.randoms())
def test_frame_order_undoes_any_shuffle(start, count, chance):
    files = [Path(f"well3_t{start + k}.tif") for k in range(count)]
    shuffled = files.copy()
    chance.shuffle(shuffled)
    assert frame_order(shuffled) == files


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (np.zeros((16, 13), np.uint16), "shape"),
        (np.zeros((16, 12), np.uint8), "dtype"),
        (np.zeros((2, 16, 12), np.uint16), "one frame"),
    ],
)
def test_an_odd_file_of_a_sequence_is_named(tmp_path, odd, message):
    write_sequence(tmp_path / "s")
    tifffile.imwrite(tmp_path / "s" / "im_00003.tif", odd)
    with pytest.raises(InputError, match=rf"(?s){message}.*im_00003\.tif"):
        read(tmp_path / "s" / "im_*.tif")


def test_pixel_size_and_interval_of_ome(tmp_path):
    facts = {
        "axes": "TYX",
        "PhysicalSizeX": 325.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.65,
        "TimeIncrement": 2.0,
        "TimeIncrementUnit": "min",
    }
    tifffile.imwrite(tmp_path / "m.ome.tif", movie(), metadata=facts)
    raw = read(tmp_path / "m.ome.tif")
    assert raw.pixel_size_um == pytest.approx((0.65, 0.325))
    assert raw.frame_interval_min == pytest.approx(2.0)


@pytest.mark.parametrize("unit", ["micron", "um", "\\u00B5m", "microns"])
def test_pixel_size_and_interval_of_imagej(tmp_path, unit):
    tifffile.imwrite(
        tmp_path / "m.tif",
        movie(),
        imagej=True,
        resolution=(1 / 0.65, 1 / 0.5),
        metadata={"axes": "TYX", "unit": unit, "finterval": 90.0},
    )
    raw = read(tmp_path / "m.tif")
    assert raw.pixel_size_um == pytest.approx((0.5, 0.65), rel=1e-5)
    assert raw.frame_interval_min == pytest.approx(1.5)


def test_printing_resolutions_are_not_pixel_sizes(tmp_path):
    tifffile.imwrite(
        tmp_path / "m.tif", movie(), resolution=(72, 72), resolutionunit="INCH"
    )
    assert read(tmp_path / "m.tif").pixel_size_um is None


@pytest.mark.parametrize(
    ("value", "unit", "um"),
    [
        (650, "nm", 0.65),
        (0.65, "µm", 0.65),
        (0.65, "μm", 0.65),
        (0.65, " Micrometers ", 0.65),
        (0.00065, "millimeter", 0.65),
        (1, "pixel", None),
        (0, "um", None),
        (float("nan"), "um", None),
        (None, "um", None),
        (1.0, None, None),
    ],
)
def test_units_of_length(value, unit, um):
    assert to_um(value, unit) == (None if um is None else pytest.approx(um))


@pytest.mark.parametrize(
    ("value", "unit", "minutes"),
    [(120, "s", 2), (120000, "ms", 2), (2, "minutes", 2), (0.5, "hour", 30)],
)
def test_units_of_time(value, unit, minutes):
    assert to_min(value, unit) == pytest.approx(minutes)


def ngff(path, stack, axes, version, **scale):
    """An OME-Zarr image written by ome-zarr-py, multi-scale."""
    from ome_zarr.format import FormatV04, FormatV05
    from ome_zarr.writer import write_image

    form = {"0.4": FormatV04(), "0.5": FormatV05()}[version]
    units = {"t": "second", "y": "micrometer", "x": "micrometer"}
    group = zarr.open_group(path, mode="w", zarr_format=form.zarr_format)
    write_image(
        stack,
        group,
        axes=list(axes),
        axes_units={a: units[a] for a in axes if a in units},
        fmt=form,
        scale_factors=[],
        scale=scale,
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_channel_of_an_ome_zarr_image(tmp_path, version):
    ngff(
        tmp_path / "m.ome.zarr",
        two_channels(),
        "tcyx",
        version,
        t=120.0,
        c=1.0,
        y=0.65,
        x=0.325,
    )
    raw = read(tmp_path / "m.ome.zarr", 1)
    np.testing.assert_array_equal(raw.data.compute(), two_channels()[:, 1])
    assert raw.pixel_size_um == pytest.approx((0.65, 0.325))
    assert raw.frame_interval_min == pytest.approx(2.0)
    with pytest.raises(InputError, match="2 channels"):
        read(tmp_path / "m.ome.zarr")


def test_a_zarr_group_that_is_no_image(tmp_path):
    zarr.open_group(tmp_path / "plate.zarr", mode="w")
    with pytest.raises(InputError, match="multiscales"):
        read(tmp_path / "plate.zarr")


@pytest.mark.parametrize("name", ["movie.npy", "movie.pkl"])
def test_other_formats_say_what_to_convert_to(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match="OME-TIFF or OME-Zarr"):
        read(tmp_path / name)


def test_complex_pixels_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", movie().astype(np.complex64))
    with pytest.raises(InputError, match="complex64"):
        read(tmp_path / "m.tif")


@pytest.fixture
def layout(tmp_path):
    raw = tmp_path / "raw"
    (raw / "set1").mkdir(parents=True)
    (raw / "set1" / "sheet.csv").write_text("movie,donor\nw1,a\nw2,b\n")
    tifffile.imwrite(raw / "set1" / "w1_t.tif", movie())
    return {
        "data_root": str(raw),
        "scratch_root": str(tmp_path / "scratch"),
        "output_root": str(tmp_path / "output"),
        "dataset": "set1",
        "sheet": str(raw / "set1" / "sheet.csv"),
        "channels": {"tcell": {"files": "<movie>_t.tif"}},
        "roles": {
            "tcell": {
                "kind": "effector",
                "channels": ["tcell"],
                "masks": "<movie>_masks",
            }
        },
    }


def test_the_constructor_touches_no_disk():
    nowhere = {"sheet": "/no/such/sheet.csv"}
    for kind in (ChannelDataset, MasksDataset):
        assert "w1" in str(kind(nowhere, "w1", "tcell"))


def test_a_channel_is_found_through_the_sheet(layout):
    dataset = ChannelDataset(layout, "w1", "tcell")
    raw = dataset.load()
    assert (raw.movie, raw.channel) == ("w1", "tcell")
    np.testing.assert_array_equal(raw.data.compute(), movie())
    assert dataset.exists()
    assert [path.name for path in dataset.source_files()] == ["w1_t.tif"]
    assert not ChannelDataset(layout, "w2", "tcell").exists()
    with pytest.raises(DatasetError, match=r"(?s)no such file.*w2_t\.tif"):
        ChannelDataset(layout, "w2", "tcell").load()


def test_raw_data_refuse_every_write(layout, tmp_path):
    before = (tmp_path / "raw/set1/w1_t.tif").read_bytes()
    for dataset in (
        ChannelDataset(layout, "w1", "tcell"),
        ChannelDataset(layout, "w2", "tcell"),
        MasksDataset(layout, "w1", "tcell"),
    ):
        with pytest.raises(DatasetError, match="read-only") as e:
            dataset.save(movie())
        assert isinstance(e.value.__cause__, StorageError)
    assert (tmp_path / "raw/set1/w1_t.tif").read_bytes() == before
    assert len(list((tmp_path / "raw/set1").iterdir())) == 2


def test_masks_of_a_tracking_challenge_folder(layout, tmp_path):
    folder = tmp_path / "raw/set1/w1_masks"
    write_sequence(folder, name="man_track{:03d}.tif")
    (folder / "man_track.txt").write_text("1 0 4 0\n")
    masks = MasksDataset(layout, "w1", "tcell").load()
    assert masks.data.dtype == np.uint32
    np.testing.assert_array_equal(masks.data.compute(), movie())


def test_masks_from_ome_zarr_and_from_a_stack(layout, tmp_path):
    target = tmp_path / "raw/set1/w1_masks"
    array = create_store(target, (5, 16, 12), np.uint32, "label")
    write_frames(array, movie(dtype=np.uint32))
    masks = MasksDataset(layout, "w1", "tcell").load()
    np.testing.assert_array_equal(masks.data.compute(), movie())
    layout["roles"]["tcell"]["masks"] = "<movie>_t.tif"
    masks = MasksDataset(layout, "w1", "tcell").load()
    np.testing.assert_array_equal(masks.data.compute(), movie())


def test_masks_must_be_integers_and_are_never_unpickled(layout, tmp_path):
    layout["roles"]["tcell"]["masks"] = "masks.tif"
    tifffile.imwrite(tmp_path / "raw/set1/masks.tif", movie(dtype=np.float32))
    with pytest.raises(DatasetError, match="must be integers"):
        MasksDataset(layout, "w1", "tcell").load()
    layout["roles"]["tcell"]["masks"] = "masks.npy"
    np.save(tmp_path / "raw/set1/masks.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DatasetError, match="not a format"):
        MasksDataset(layout, "w1", "tcell").load()


@pytest.mark.real_data
def test_real_movies_open_as_tifffile_reads_them(real_data):
    path = real_data / "two_channel_intravital" / "mesenterium_TCYX_uint8.tif"
    whole = tifffile.imread(path)
    for index in (0, 1):
        raw = read(path, index)
        np.testing.assert_array_equal(raw.data.compute(), whole[:, index])
    path = real_data / "nuclei_timelapse" / "cancer_cell_migration_crop.tif"
    raw = read(path)
    assert raw.data.shape == (48, 130, 130) and raw.pixel_size_um is None
    np.testing.assert_array_equal(raw.data.compute(), tifffile.imread(path))


@pytest.mark.real_data
def test_real_tracking_truth_opens_frame_by_frame(real_data):
    folder = real_data / "ctc_cellmigration" / "02_GT" / "TRA"
    raw = read(folder / "man_track*.tif")
    assert raw.data.shape == (86, 1024, 1024)
    for frame in (0, 9, 85):
        np.testing.assert_array_equal(
            raw.data[frame].compute(),
            tifffile.imread(folder / f"man_track{frame:03d}.tif"),
        )
    with pytest.raises(InputError, match="missing"):
        read(folder.parent / "SEG" / "man_seg*.tif")
