"""A folder of texts comes back equal and is replaced as a whole."""

from __future__ import annotations

import pytest
from kedro.io import DatasetError

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.datasets import TextsDataset


def test_texts_come_back_equal(tmp_path):
    dataset = TextsDataset(tmp_path / "a", suffix=".csv")
    texts = {"one": "µm,\nä\n", "two.b": "1,2\r\n"}
    dataset.save(texts)
    assert (tmp_path / "a" / "one.csv").is_file()
    assert dataset.load() == texts | {"two.b": "1,2\n"}


def test_texts_of_an_earlier_run_do_not_linger(tmp_path):
    dataset = TextsDataset(tmp_path / "a", suffix=".svg")
    dataset.save({"old": "x"})
    dataset.save({"new": "y"})
    assert set(dataset.load()) == {"new"}
    dataset.save({})
    assert dataset.load() == {} and dataset.exists()


@pytest.mark.parametrize("name", ["../a", "", ".hidden", "a/b"])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(DatasetError, match="file name"):
        TextsDataset(tmp_path / "a", suffix=".svg").save({name: ""})


def test_a_suffix_needs_a_dot(tmp_path):
    with pytest.raises(ConfigError, match="suffix"):
        TextsDataset(tmp_path / "a", suffix="svg")
