"""Ingest: what a user gets from good files, and what is said about bad ones."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.core.raw import RawChannel, select
from cyto_kedro.core.schemas import FRAME_STATS
from cyto_kedro.pipelines.ingest import create_pipeline
from cyto_kedro.pipelines.ingest.nodes import check_channels
from cyto_kedro.pipelines.ingest.params import IngestParams


def movie(n=6, height=8, width=10, seed=0):
    values = np.random.default_rng(seed).integers(10, 900, (n, height, width))
    return values.astype(np.uint16)


def raw(stack=None, channel="tcell", **facts):
    stack = movie() if stack is None else stack
    data = da.from_array(stack, chunks=(1, *stack.shape[1:]))
    return RawChannel(data, f"/raw/{channel}.tif", movie="w1", channel=channel, **facts)


def params(**options):
    known = {"pixel_size_um": 0.65, "frame_interval_min": 2.0}
    return IngestParams(**known | options)


def test_calibration_from_globals():
    calibration, stats = check_channels(params(), raw(), raw(movie(seed=1), "cancer"))
    assert calibration.channels == ("tcell", "cancer")
    assert calibration.movie == "w1"
    assert calibration.frame_times_min == (0, 2, 4, 6, 8, 10)
    assert calibration.spacing_um == (0.65, 0.65)
    assert (calibration.height_px, calibration.width_px) == (8, 10)
    FRAME_STATS.validate(stats)
    assert list(stats["channel"]) == ["tcell"] * 6 + ["cancer"] * 6
    assert list(stats["frame"]) == list(range(6)) * 2
    np.testing.assert_allclose(stats["mean"][:6], movie().mean(axis=(1, 2)))


def test_files_know_better_than_globals_that_are_silent():
    channel = raw(pixel_size_um=(0.5, 0.325), frame_interval_min=1.5)
    calibration, _ = check_channels(IngestParams(), channel, raw(channel="cancer"))
    assert calibration.spacing_um == (0.5, 0.325)
    assert calibration.frame_interval_min == 1.5


def test_rounded_metadata_are_no_contradiction():
    calibration, _ = check_channels(params(), raw(pixel_size_um=(0.6501, 0.6501)))
    assert calibration.pixel_size_y_um == 0.6501


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"pixel_size_um": (0.65, 0.66)}, r"0\.65 um.*globals.*0\.66 um.*tcell\.tif"),
        ({"frame_interval_min": 1.0}, r"1 min.*tcell\.tif.*2 min.*globals"),
    ],
)
def test_a_contradiction_with_globals_names_both(facts, named):
    with pytest.raises(InputError, match=rf"(?s){named}"):
        check_channels(params(), raw(**facts))


def test_a_contradiction_between_files_names_both():
    with pytest.raises(InputError, match=r"(?s)tcell\.tif.*cancer\.tif"):
        check_channels(
            IngestParams(frame_interval_min=2),
            raw(pixel_size_um=(0.5, 0.5)),
            raw(channel="cancer", pixel_size_um=(0.6, 0.6)),
        )


@pytest.mark.parametrize("key", ["pixel_size_um", "frame_interval_min"])
def test_what_nobody_knows_says_which_key_to_set(key):
    with pytest.raises(ConfigError, match=f"set {key} in globals.yml"):
        check_channels(params(**{key: None}), raw())


def test_one_frame_needs_no_interval():
    calibration, stats = check_channels(
        params(frame_interval_min=None), raw(movie(n=1))
    )
    assert calibration.frame_times_min == (0,)
    assert np.isnan(calibration.frame_interval_min)
    assert len(stats) == 1


@pytest.mark.parametrize("shape", [(5, 8, 10), (6, 8, 11)])
def test_channels_that_differ_are_named_with_shape_and_file(shape):
    with pytest.raises(
        InputError, match=r"(?s)tcell: 6 x 8 x 10.*cancer: .*cancer\.tif"
    ):
        check_channels(params(), raw(), raw(np.ones(shape, np.uint16), "cancer"))


@pytest.mark.parametrize("value", [0, 100])
def test_a_blank_channel_is_refused_unless_it_is_meant(value):
    blank = raw(np.full((6, 8, 10), value, np.uint16), "death")
    with pytest.raises(InputError, match=r"(?s)death is blank.*allow_blank"):
        check_channels(params(), raw(), blank)
    _, stats = check_channels(params(allow_blank=["death"]), raw(), blank)
    assert (stats.loc[stats["channel"] == "death", "maximum"] == value).all()
    with pytest.raises(ConfigError, match=r"(?s)names no channel: deaht.*tcell"):
        check_channels(params(allow_blank=["deaht"]), raw())


def test_one_black_frame_and_a_dark_control_are_accepted():
    dark = np.random.default_rng(0).poisson(1.0, (6, 8, 10)).astype(np.uint8)
    dark[2] = 0
    check_channels(params(), raw(dark))


def test_a_nan_names_channel_frame_and_file():
    stack = movie().astype(np.float32)
    stack[4, 1, 1] = np.nan
    chosen = params(image_range={"t": [2, None]})
    with pytest.raises(InputError, match=r"(?s)NaN.*tcell, frame 4 of /raw/tcell"):
        check_channels(chosen, raw(stack))
    # Frames and pixels outside the range do not matter.
    check_channels(params(image_range={"t": [0, 4]}), raw(stack))
    check_channels(params(image_range={"y": [2, None]}), raw(stack))


def test_the_image_range_crops_and_scales():
    chosen = params(image_range={"t": [1, 6, 2], "y": [2, 8, 3], "x": [0, 4]})
    calibration, stats = check_channels(chosen, raw())
    assert calibration.source_frames == (1, 3, 5)
    assert calibration.frame_times_min == (0, 4, 8)
    assert calibration.spacing_um == pytest.approx((1.95, 0.65))
    cropped = select(raw(), calibration)
    assert cropped.chunks == ((1, 1, 1), (2,), (4,))
    np.testing.assert_array_equal(cropped.compute(), movie()[1:6:2, 2:8:3, 0:4])
    np.testing.assert_allclose(
        stats["maximum"], movie()[1:6:2, 2:8:3, 0:4].max(axis=(1, 2))
    )


_RANGE = st.tuples(st.integers(0, 5), st.integers(1, 6), st.integers(1, 4))


@settings(max_examples=30, deadline=None)
@given(_RANGE, _RANGE, _RANGE)
def test_cropping_is_numpy_slicing(t, y, x):
    ranges = [(min(a, b - 1), max(a + 1, b), step) for a, b, step in (t, y, x)]
    chosen = params(image_range=dict(zip("tyx", map(list, ranges), strict=True)))
    calibration, _ = check_channels(replace_blank(chosen), raw())
    expected = movie()[tuple(slice(*part) for part in ranges)]
    np.testing.assert_array_equal(select(raw(), calibration).compute(), expected)
    assert expected.shape == (
        calibration.n_frames,
        calibration.height_px,
        calibration.width_px,
    )


def replace_blank(chosen):
    """A range of one pixel is constant by nature."""
    return chosen.model_copy(update={"allow_blank": ("tcell",)})


@pytest.mark.parametrize(
    "wrong",
    [[-1, 4], [0, -1], [3, 3], [4, 2], [0, 4, 0], [0, 4, -1], [1], [0, 1, 1, 1], ["a"]],
)
def test_impossible_ranges_are_refused_before_anything_runs(wrong):
    with pytest.raises(ValidationError, match="t"):
        params(image_range={"t": wrong})


@pytest.mark.parametrize(("axis", "wrong"), [("t", [0, 7]), ("y", [8, None])])
def test_a_range_beyond_the_image_says_how_large_it_is(axis, wrong):
    with pytest.raises(ConfigError, match=rf"image_range\.{axis}.*which has [68]"):
        check_channels(params(image_range={axis: wrong}), raw())


def test_masks_of_another_size_are_refused():
    calibration, _ = check_channels(params(image_range={"x": [0, 4]}), raw())
    for shape in ((6, 8, 9), (5, 8, 10), (7, 8, 10), (6, 8, 4)):
        with pytest.raises(InputError, match="does not fit"):
            select(np.ones(shape, np.uint32), calibration)


@pytest.mark.parametrize("key", ["pixel_size_um", "frame_interval_min"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_impossible_sizes_are_refused(key, value):
    with pytest.raises(ValidationError, match=key):
        params(**{key: value})


def test_the_result_does_not_depend_on_threads():
    results = []
    for threads in (1, 3):
        set_workers(threads)
        try:
            results.append(check_channels(params(), raw(), raw(movie(seed=2), "b")))
        finally:
            set_workers(None)
    assert results[0][0] == results[1][0]
    assert results[0][1].equals(results[1][1])


def test_an_unreadable_frame_is_named_by_its_reader():
    def broken(block):
        raise InputError("A frame cannot be read", where="/raw/tcell.tif, frame 3")

    channel = raw()
    lazy = channel.data.map_blocks(broken, dtype=np.uint16, meta=np.empty((0, 0, 0)))
    with pytest.raises(InputError, match="frame 3"):
        check_channels(params(), replace(channel, data=lazy))


# Kedro warns of dots in names once per process, also where they are namespaces.
@pytest.mark.filterwarnings("ignore:One or more dataset names")
def test_the_pipeline_reads_every_channel_of_the_layout():
    layout = Layout(
        data_root="raw",
        scratch_root="s",
        output_root="o",
        dataset="d",
        sheet="s.csv",
        channels={"tcell": {"files": "t"}, "cancer": {"files": "c"}},
        roles={"tcell": {"kind": "effector", "channels": ["tcell"]}},
    )
    pipeline = create_pipeline(layout)
    assert [node.name for node in pipeline.nodes] == ["ingest.check_channels"]
    assert pipeline.inputs() == {"params:ingest", "tcell.raw", "cancer.raw"}
    catalog = DataCatalog(
        {
            "params:ingest": MemoryDataset(params()),
            "tcell.raw": MemoryDataset(raw(), copy_mode="assign"),
            "cancer.raw": MemoryDataset(raw(movie(), "cancer"), copy_mode="assign"),
            "calibration": MemoryDataset(),
            "frame_stats": MemoryDataset(),
        }
    )
    SequentialRunner().run(pipeline, catalog)
    assert catalog.load("calibration").channels == ("tcell", "cancer")
    assert len(catalog.load("frame_stats")) == 12


def test_time_stamps_of_the_file_are_the_times():
    stamps = (0.0, 2.0, 4.0, 9.0, 11.0, 13.1)
    late = tuple(time + 0.1 for time in stamps)
    channels = (
        raw(frame_times_min=stamps, frame_interval_min=2.0),
        raw(movie(seed=1), "cancer", frame_times_min=late),
    )
    options = params(frame_interval_min=None, image_range={"t": [1, None, 2]})
    calibration, stats = check_channels(options, *channels)
    assert calibration.frame_times_min == pytest.approx((0, 7, 11.1))
    assert stats["time_min"].tolist()[:3] == pytest.approx([0, 7, 11.1])


@pytest.mark.parametrize(
    ("options", "second", "message"),
    [
        ({"frame_interval_min": 3.0}, (0.0, 2, 4, 6, 8, 10), "3 min says globals"),
        ({}, (0.0, 2, 4, 6, 8, 19), r"tcell and cancer differ by up to 9 min"),
    ],
)
def test_contradictory_time_stamps(options, second, message):
    channels = (
        raw(frame_times_min=(0.0, 2, 4, 6, 8, 10)),
        raw(channel="cancer", frame_times_min=second),
    )
    with pytest.raises(InputError, match=message):
        check_channels(params(**options), *channels)
