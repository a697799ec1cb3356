"""A worker that warms up: nothing is kept, and what is slow once is over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.window import Window
from cyto_kedro.runners.units import Unit
from cyto_kedro.runners.worker import warm_up

FRAMES: list[int] = []
CALLS: list[str] = []


def brighten(image: da.Array) -> da.Array:
    """Lazy, frame by frame; notes which frames were computed."""

    def one(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info:
            FRAMES.append(block_info[None]["chunk-location"][0])
        return block + 1

    return image.map_blocks(one, dtype=image.dtype)


def link(points: pd.DataFrame, options: dict) -> pd.DataFrame:
    CALLS.append("link")
    return points.assign(track_id=options["first"])


def count(tracks: pd.DataFrame) -> int:
    CALLS.append(f"count {len(tracks)}")
    if tracks.empty:
        raise ValueError("no tracks")
    return len(tracks)


PIPELINE = Pipeline(
    [
        Node(brighten, "raw", "image", name="brighten"),
        Node(link, ["points", "params:options"], "tracks", name="link"),
        Node(count, "tracks", "n", name="count"),
        Node(len, "points", "other", name="not_mine"),
    ]
)


@pytest.fixture
def context() -> Any:
    FRAMES.clear()
    CALLS.clear()
    catalog = DataCatalog(
        {
            "raw": MemoryDataset(da.zeros((9, 4, 4), chunks=(1, 4, 4), dtype="u2")),
            "points": MemoryDataset(pd.DataFrame({"frame": [0, 1]})),
            "params:options": MemoryDataset({"first": 7}),
        }
    )
    return SimpleNamespace(
        movies=lambda: (SimpleNamespace(id="A1"),),
        catalog_for=lambda movie: catalog,
        catalog=catalog,
    )


def test_of_a_window_it_computes_the_first_frame_only(context) -> None:
    warm_up(context, PIPELINE, Unit("s", ("brighten",), "A1", Window(3, 6)))
    assert FRAMES == [3]
    assert "image" not in context.catalog or not context.catalog.exists("image")


def test_nodes_that_follow_each_other_are_done_in_memory(context) -> None:
    warm_up(context, PIPELINE, Unit("s", ("count", "link"), "A1"))
    assert CALLS == ["link", "count 2"]
    assert not any(context.catalog.exists(name) for name in ("tracks", "n"))


def test_an_error_is_left_to_the_unit(context, caplog) -> None:
    context.catalog["points"] = MemoryDataset(pd.DataFrame({"frame": []}))
    warm_up(context, PIPELINE, Unit("s", ("link", "count"), "A1"))
    assert "no tracks" in caplog.text
