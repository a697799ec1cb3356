"""The pipeline: graph from the layout, driver, lazy images, warnings."""

from __future__ import annotations

import logging
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro.validation.parameter_validator import ParameterValidator

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.core.schemas import DRIFT, INTENSITY_RANGE, RESIDUAL_MOTION
from cyto_kedro.core.tags import FRAME_WISE
from cyto_kedro.methods.preprocessing.residual_motion import ResidualMotionParams
from cyto_kedro.pipelines.preprocessing import create_pipeline
from cyto_kedro.pipelines.preprocessing.nodes import estimate_drift
from cyto_kedro.pipelines.preprocessing.params import (
    ChannelParams,
    MergeParams,
    RegistrationParams,
)

CONF = Path(__file__).parents[3] / "conf" / "base" / "parameters_preprocessing.yml"
TRUTH = np.array([[0, 0], [3.4, -2.2], [6.1, 5.7], [-4.6, 1.3]])
SHAPE = (len(TRUTH), 128, 144)


def layout(**roles):
    return Layout.model_validate(
        {
            "data_root": "raw",
            "scratch_root": "scratch",
            "output_root": "out",
            "dataset": "d",
            "sheet": "s.csv",
            "channels": {n: {"files": n} for n in ("tcell", "cancer", "death")},
            "roles": {
                "tcell": {"kind": "effector", "channels": ["tcell"]},
                "cancer": {"kind": "target", "channels": ["cancer"]},
            }
            | roles,
        }
    )


def spots(seed, motion=0.0):
    rng = np.random.default_rng(seed)
    places = rng.uniform(-20, 160, (50, 2))
    rows, columns = np.arange(SHAPE[1]), np.arange(SHAPE[2])
    frames = []
    for shift in TRUTH:
        places = places + rng.normal(0, motion, places.shape)
        y, x = (places - shift).T
        along_y = np.exp(-((rows[None] - y[:, None]) ** 2) / 40)
        along_x = np.exp(-((columns[None] - x[:, None]) ** 2) / 40)
        frames.append(100 + 300 * along_y.T @ along_x + rng.normal(0, 10, SHAPE[1:]))
    return np.stack(frames).astype(np.uint16)


@pytest.fixture
def raws():
    movies = {"tcell": spots(1, 6.0), "cancer": spots(2), "death": spots(3)}
    return {
        name: RawChannel(da.from_array(m, chunks=(1, -1, -1)), name, channel=name)
        for name, m in movies.items()
    }


@pytest.fixture
def calibration():
    return Calibration.regular(SHAPE, channels=("tcell", "cancer", "death"))


class Kept(MemoryDataset):
    """Memory that the runner does not clear after the last reader."""

    def _release(self):
        pass


def run(raws, calibration, channels=None, the_layout=None, **groups):
    parameters = {
        "registration": RegistrationParams(),
        "residual_motion": ResidualMotionParams(every_nth_frame=1, block_px=48),
        "channels": {name: ChannelParams() for name in raws} | (channels or {}),
    } | groups
    entries = {f"{name}.raw": raw for name, raw in raws.items()}
    entries |= {"calibration": calibration}
    entries |= {f"params:preprocessing.{k}": v for k, v in flat(parameters)}
    catalog = DataCatalog(
        {k: MemoryDataset(v, copy_mode="assign") for k, v in entries.items()}
    )
    pipeline = create_pipeline(the_layout or layout())
    for name in pipeline.all_outputs():
        catalog[name] = Kept(copy_mode="assign")
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.all_outputs()}


def flat(parameters):
    for key, value in parameters.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", v) for inner, v in flat(value))
        else:
            yield key, value


def test_the_graph_has_a_namespace_per_channel_and_drift_once():
    pipeline = create_pipeline(layout())
    names = {node.name for node in pipeline.nodes}
    assert {
        "preprocessing.estimate_drift",
        "tcell.preprocess",
        "death.preprocess",
    } <= names
    images = {node.name: node.tags for node in pipeline.nodes if "image" in str(node)}
    assert all(FRAME_WISE in images[f"{c}.preprocess"] for c in ("tcell", "death"))
    assert not any("merge" in name for name in names)


def test_a_role_of_two_channels_is_merged():
    both = {"kind": "other", "channels": ["tcell", "death"]}
    pipeline = create_pipeline(layout(both=both))
    assert "both.merged" in pipeline.all_outputs()
    assert "params:preprocessing.merge.both" in pipeline.inputs()


def test_every_parameter_of_the_base_configuration_is_typed_and_valid():
    values = yaml.safe_load(CONF.read_text())["preprocessing"]
    pipeline = create_pipeline(layout())
    used = {n.removeprefix("params:") for n in pipeline.inputs() if "params:" in n}
    assert used == {"preprocessing.registration", "preprocessing.residual_motion"} | {
        f"preprocessing.channels.{name}" for name in values["channels"]
    }
    RegistrationParams.model_validate(values["registration"])
    ResidualMotionParams.model_validate(values["residual_motion"])
    for options in values["channels"].values():
        # A death signal is compared between movies: nothing may rescale it.
        assert ChannelParams.model_validate(options).steps == ()


def test_kedro_resolves_every_parameter_to_a_model():
    both = {"kind": "other", "channels": ["tcell", "death"]}
    pipeline = create_pipeline(layout(both=both))
    values = yaml.safe_load(CONF.read_text())
    values["preprocessing"]["merge"] = {"both": {"weights": {"tcell": -1}}}
    with pytest.raises(Exception, match=r"merge\.both"):
        ParameterValidator({"__default__": pipeline}).validate_raw_params(values)
    values["preprocessing"]["merge"] = {"both": {"weights": {"tcell": 1}}}
    models = ParameterValidator({"__default__": pipeline}).validate_raw_params(values)
    assert isinstance(models["preprocessing"]["residual_motion"], ResidualMotionParams)
    assert isinstance(
        models["preprocessing"]["channels"]["tcell"], ChannelParams
    ) and isinstance(models["preprocessing"]["merge"]["both"], MergeParams)


def test_all_channels_follow_the_still_one(raws, calibration):
    results = run(raws, calibration)
    drift = DRIFT.validate(results["drift"])
    np.testing.assert_allclose(drift[["dy_px", "dx_px"]], TRUTH, atol=0.15)
    image = results["death.image"]
    assert isinstance(image, da.Array) and image.dtype == np.uint16
    y0, y1 = drift["valid_y0"].max(), drift["valid_y1"].min()
    x0, x1 = drift["valid_x0"].max(), drift["valid_x1"].min()
    part = image[:, y0:y1, x0:x1].compute().astype(float)
    for frame in part[1:]:
        assert np.corrcoef(part[0].ravel(), frame.ravel())[0, 1] > 0.97


def test_the_driver_can_be_chosen(raws, calibration):
    arguments = (raws["cancer"], raws["tcell"], raws["death"])
    chosen = estimate_drift(
        calibration, RegistrationParams(channel="death"), *arguments
    )
    alone = estimate_drift(calibration, RegistrationParams(), raws["death"])
    np.testing.assert_array_equal(chosen[0], alone[0])
    with pytest.raises(ConfigError, match="'nuclei'"):
        estimate_drift(calibration, RegistrationParams(channel="nuclei"), *arguments)


def test_no_registration_changes_nothing(raws, calibration):
    off = RegistrationParams.model_validate({"method": {"name": "none"}})
    results = run(raws, calibration, registration=off)
    for name, raw in raws.items():
        np.testing.assert_array_equal(results[f"{name}.image"], raw.data)


def test_the_image_range_is_cut_out(raws):
    calibration = Calibration.regular(
        (2, 100, 120), channels=("tcell", "cancer", "death")
    ).model_copy(
        update={
            "source_frames": (1, 3),
            "y_range": (10, 110, 1),
            "x_range": (4, 124, 1),
            "source_shape": SHAPE,
        }
    )
    results = run(raws, calibration)
    step = TRUTH[3] - TRUTH[1]
    np.testing.assert_allclose(
        results["drift"].loc[1, ["dy_px", "dx_px"]].astype(float), step, atol=0.15
    )
    wanted = raws["death"].data[1, 10:110, 4:124]
    np.testing.assert_array_equal(results["death.image"][0], wanted)


def test_a_normalised_channel_and_a_merged_role(raws, calibration):
    steps = [
        {"name": "background", "method": {"name": "percentile"}},
        {"name": "percentile_normalise", "lp": 1, "up": 99},
    ]
    both = {"kind": "other", "channels": ["tcell", "cancer"]}
    results = run(
        raws,
        calibration,
        channels={"tcell": ChannelParams.model_validate({"steps": steps})},
        the_layout=layout(both=both),
        merge={"both": MergeParams(weights={"tcell": 3})},
    )
    assert len(INTENSITY_RANGE.validate(results["tcell.intensity_range"])) == 1
    assert len(INTENSITY_RANGE.validate(results["death.intensity_range"])) == 0
    tcell, cancer = results["tcell.image"].compute(), results["cancer.image"].compute()
    assert tcell.dtype == np.float32 and tcell.max() == 1
    wanted = (3 * tcell.astype(float) + cancer) / 4
    np.testing.assert_allclose(results["both.merged"], wanted, rtol=1e-6)


def test_registration_leaves_no_motion_and_no_warning(raws, calibration, caplog):
    with caplog.at_level(logging.WARNING):
        found = RESIDUAL_MOTION.validate(run(raws, calibration)["residual_motion"])
    assert found["frame"].tolist() == [1, 2, 3]
    assert set(found["verdict"]) == {"aligned"}
    assert not caplog.records


def test_a_drift_that_nobody_took_out_is_named(raws, calibration, caplog):
    off = RegistrationParams.model_validate({"method": {"name": "none"}})
    with caplog.at_level(logging.WARNING):
        found = run(raws, calibration, registration=off)["residual_motion"]
    assert set(found["verdict"]) == {"shifted"}
    steps = found[["common_dy_px", "common_dx_px"]]
    np.testing.assert_allclose(steps, np.diff(TRUTH, axis=0), atol=0.5)
    assert "3 of 3 sampled frames of channel 'cancer'" in caplog.text
    assert "registration on" in caplog.text


@pytest.mark.parametrize("weights", [{"nuclei": 1}, {"tcell": 0, "cancer": 0}])
def test_weights_that_make_no_sense_are_refused(raws, calibration, weights):
    both = {"kind": "other", "channels": ["tcell", "cancer"]}
    with pytest.raises(ConfigError, match="channel"):
        run(
            raws,
            calibration,
            the_layout=layout(both=both),
            merge={"both": MergeParams(weights=weights)},
        )


def test_a_blank_frame_is_named_in_a_warning(raws, calibration, caplog):
    movie = raws["cancer"].data.compute()
    movie[2] = 0
    blank = RawChannel(da.from_array(movie), "cancer", channel="cancer")
    with caplog.at_level(logging.WARNING):
        drift, _ = estimate_drift(calibration, RegistrationParams(), blank)
    assert "1 of 4 frames of channel 'cancer'" in caplog.text and ": 2" in caplog.text
    assert np.isnan(drift.loc[2, "quality"])
    halfway = (TRUTH[1] + TRUTH[3]) / 2
    np.testing.assert_allclose(
        drift.loc[2, ["dy_px", "dx_px"]].astype(float), halfway, atol=0.15
    )


def test_a_movie_without_contrast_is_named_in_a_warning(calibration, caplog):
    steps = ChannelParams.model_validate({"steps": [{"name": "percentile_normalise"}]})
    dark = {
        name: RawChannel(da.zeros(SHAPE, np.uint16, chunks=(1, -1, -1)), name)
        for name in ("tcell", "cancer", "death")
    }
    with caplog.at_level(logging.WARNING):
        results = run(dark, calibration, channels={"tcell": steps})
    assert "black and white" in caplog.text
    assert not results["tcell.image"].compute().any()
