"""Many units, one output: whatever the order, it is published once and whole."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node

from cyto_kedro.core.frames import map_frames
from cyto_kedro.core.window import windows
from cyto_kedro.datasets import OmeZarrDataset
from cyto_kedro.runners.windowed import (
    WindowedOutput,
    publish_if_complete,
    shareable,
    staging_of,
)

NODE = Node(lambda raw: raw, "raw", "image", name="correct")
STACK = np.random.default_rng(5).integers(0, 1000, (24, 16, 16)).astype(np.uint16)


class Outputs:
    """Publishes, and counts how often."""

    def __init__(self):
        self.published = []

    def replace(self, name, node, catalog, publish):
        publish()
        self.published.append(name)


@pytest.fixture
def output(tmp_path):
    catalog = DataCatalog({"image": OmeZarrDataset(tmp_path / "image.zarr")})
    _, dataset = shareable(catalog, NODE)
    stage = staging_of(dataset, "20260101T000000Z", "f" * 64)
    context = SimpleNamespace(outputs=Outputs())
    return SimpleNamespace(
        catalog=catalog, dataset=dataset, stage=stage, context=context
    )


def write(output, window):
    lazy = map_frames(lambda frame: frame, da.from_array(STACK), dtype=STACK.dtype)
    WindowedOutput(output.dataset, window, output.stage).save(lazy)


def finish(output, **options):
    return publish_if_complete(
        output.context, output.catalog, NODE, output.stage, **options
    )


@pytest.mark.parametrize("repetition", range(15))
def test_finishers_at_the_same_moment_publish_once(output, repetition):
    """A barrier: processes started one after the other would hide every race."""
    todo = windows(len(STACK), 3)
    start, end = threading.Barrier(len(todo)), threading.Barrier(len(todo))
    errors = []

    def work(window):
        try:
            start.wait()  # all create the store
            write(output, window)
            end.wait()  # all look whether it is complete
            finish(output)
        except Exception as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(window,)) for window in todo]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert output.context.outputs.published == ["image"]
    np.testing.assert_array_equal(output.dataset.load().compute(), STACK)
    assert [p.name for p in output.dataset.path.parent.iterdir()] == ["image.zarr"]


def test_an_incomplete_output_is_not_published(output):
    for window in windows(len(STACK), 3)[:-1]:
        write(output, window)
    assert not finish(output)
    assert not output.dataset.path.exists()


def test_the_claim_of_a_dead_finisher_is_taken_up_by_the_driver_only(output):
    for window in windows(len(STACK), 8):
        write(output, window)
    replace = output.context.outputs.replace
    output.context.outputs.replace = lambda *args: None  # dies after its claim
    finish(output)
    output.context.outputs.replace = replace
    assert not finish(output)
    assert finish(output, recover=True)
    np.testing.assert_array_equal(output.dataset.load().compute(), STACK)


def test_an_eager_stack_is_refused(output):
    with pytest.raises(DatasetError, match="must return a lazy stack"):
        WindowedOutput(output.dataset, windows(24, 3)[0], output.stage).save(STACK)
