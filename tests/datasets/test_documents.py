"""Models, JSON, text and arbitrary values."""

from __future__ import annotations

import pickle
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, StorageError
from cyto_kedro.datasets import (
    ArbitraryDataset,
    JsonDataset,
    ModelDataset,
    TextDataset,
)

CALIBRATION = "cyto_kedro.core.calibration.Calibration"
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_VALUES, max_size=3) | st.dictionaries(st.text(), _VALUES, max_size=3))
def test_any_json_value_comes_back(value):
    with tempfile.TemporaryDirectory() as folder:
        dataset = JsonDataset(f"{folder}/v.json")
        dataset.save(value)
        assert dataset.load() == value


def test_nan_becomes_null_and_numpy_becomes_plain(tmp_path):
    dataset = JsonDataset(tmp_path / "v.json")
    dataset.save(
        {"a": np.float64("nan"), "b": np.arange(3), "c": [np.inf, np.int64(2)]}
    )
    assert dataset.load() == {"a": None, "b": [0, 1, 2], "c": [None, 2]}
    with pytest.raises(DatasetError, match="no JSON form"):
        dataset.save({"a": object()})
    assert dataset.load()["b"] == [0, 1, 2]


def test_a_calibration_comes_back(tmp_path):
    known = Calibration.regular((3, 4, 5), pixel_size_um=0.65, frame_interval_min=2)
    dataset = ModelDataset(tmp_path / "c.json", model=CALIBRATION)
    dataset.save(known)
    assert dataset.load() == known
    (tmp_path / "c.json").write_text('{"movie": "w1"}')
    with pytest.raises(DatasetError, match="does not follow Calibration"):
        dataset.load()


@pytest.mark.parametrize("model", ["os.system", "cyto_kedro.corevil.X", "Calibration"])
def test_models_come_from_core_only(tmp_path, model):
    with pytest.raises(ConfigError):
        ModelDataset(tmp_path / "c.json", model=model)


def test_another_class_is_not_saved_as_a_calibration(tmp_path):
    with pytest.raises(DatasetError, match="Expected a Calibration"):
        ModelDataset(tmp_path / "c.json", model=CALIBRATION).save({"movie": "w1"})


def test_text(tmp_path):
    dataset = TextDataset(tmp_path / "report.html")
    dataset.save("<p>µm</p>")
    assert dataset.load() == "<p>µm</p>"


def test_arrays_as_npz(tmp_path):
    dataset = ArbitraryDataset(tmp_path / "v.npz")
    dataset.save({"shift": np.arange(4.0), "n": 3})
    back = dataset.load()
    np.testing.assert_array_equal(back["shift"], np.arange(4.0))
    assert back["n"] == 3
    with pytest.raises(DatasetError, match="Not numeric: a"):
        dataset.save({"a": np.array([None])})


def test_an_npz_with_a_pickle_inside_is_not_loaded(tmp_path):
    np.savez(tmp_path / "v.npz", evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DatasetError, match="allow_pickle=False"):
        ArbitraryDataset(tmp_path / "v.npz").load()


def test_a_pickle_needs_consent_and_lies_below_scratch(tmp_path):
    scratch = tmp_path / "scratch"
    with pytest.raises(ConfigError, match="explicitly"):
        ArbitraryDataset(scratch / "v.pkl")
    with pytest.raises(StorageError, match="scratch root"):
        ArbitraryDataset(
            scratch / ".." / "v.pkl", allow_pickle=True, scratch_root=scratch
        )
    dataset = ArbitraryDataset(
        scratch / "v.pkl", allow_pickle=True, scratch_root=scratch
    )
    dataset.save({1, 2})
    assert dataset.load() == {1, 2}
    assert pickle.loads((scratch / "v.pkl").read_bytes()) == {1, 2}


def test_a_failed_save_leaves_the_previous_value(tmp_path):
    dataset = ArbitraryDataset(
        tmp_path / "v.pkl", allow_pickle=True, scratch_root=tmp_path
    )
    dataset.save([1])
    with pytest.raises(DatasetError):
        dataset.save(lambda: None)
    assert dataset.load() == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["v.pkl"]
