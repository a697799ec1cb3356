"""The graph of the benchmark, and how the work is cut for N jobs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import DRIVER, EXPERIMENT, FRAME_WISE
from cyto_kedro.pipelines.benchmark.params import BenchmarkParams
from cyto_kedro.pipelines.benchmark.pipeline import create_pipeline, production_of
from cyto_kedro.runners.slurm.site import shares
from cyto_kedro.runners.trials import content_hash, phases_of
from cyto_kedro.runners.units import Unit


@pytest.fixture(scope="module")
def layout() -> Layout:
    return Layout.model_validate(
        {
            "data_root": "raw",
            "scratch_root": "scratch",
            "output_root": "out",
            "dataset": "d",
            "sheet": "raw/sheet.csv",
            "channels": {"a": {"files": "a"}, "b": {"files": "b"}},
            "roles": {
                "tcell": {"kind": "effector", "channels": ["a"]},
                "cancer": {"kind": "target", "channels": ["b"]},
            },
        }
    )


def test_stages_follow_each_other_in_the_driver(layout: Layout) -> None:
    nodes = create_pipeline(layout).nodes
    assert [node.name.removeprefix("benchmark.") for node in nodes] == [
        "register_denoise",
        "cellpose",
        "trackmate",
        "contact",
        "collect",
        "judge",
        "show",
    ]
    assert all({DRIVER, EXPERIMENT} <= set(node.tags) for node in nodes)


def test_stages_run_the_nodes_of_production(layout: Layout) -> None:
    found = production_of(layout)
    names = {stage: {n.name for n in part.nodes} for stage, part in found.items()}
    assert names["cellpose"] == {"tcell.segment", "cancer.segment"}
    assert names["trackmate"] == {"tcell.track", "cancer.track"}
    assert "preprocessing.estimate_drift" in names["register_denoise"]
    assert "tcell_cancer.measure" in names["contact"]


def test_without_pairs_there_is_nothing_to_measure(layout: Layout) -> None:
    roles = {"cancer": layout.roles["cancer"]}
    alone = layout.model_copy(update={"roles": roles})
    assert not create_pipeline(alone).nodes


def _node(inputs: str, output: str, *tags: str) -> Node:
    return Node(lambda x: x, inputs, output, name=f"{inputs}_{output}", tags=tags)


def test_whole_movie_nodes_that_follow_each_other_share_a_phase() -> None:
    pipeline = Pipeline(
        [
            _node("a", "b"),
            _node("b", "c"),
            _node("c", "d", FRAME_WISE),
            _node("d", "e", FRAME_WISE),
            _node("e", "f"),
        ]
    )
    phases = [[node.name for node in nodes] for nodes in phases_of(pipeline)]
    assert phases == [["a_b", "b_c"], ["c_d"], ["d_e"], ["e_f"]]


@pytest.mark.parametrize(("count", "jobs"), [(10, 4), (8, 8), (3, 8), (24, 5), (1, 1)])
def test_shares_differ_by_one_unit_at_most(count: int, jobs: int) -> None:
    units = [Unit("s", ("n",), f"m{number}") for number in range(count)]
    parts = shares(units, jobs)
    assert [unit for part, _ in parts for unit in part] == units
    sizes = [
        len(part[start : start + size])
        for part, size in parts
        for start in range(0, len(part), size)
    ]
    assert len(sizes) == min(count, jobs)
    assert max(sizes) - min(sizes) <= 1


def test_the_hash_of_a_table_is_that_of_its_content(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]})
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet", "c.parquet")]
    table.to_parquet(paths[0])
    table.to_parquet(paths[1], compression="gzip")
    table.assign(x=[1.0, 2.5]).to_parquet(paths[2])
    first, second, third = map(content_hash, paths)
    assert first == second != third


def test_job_counts_must_rise() -> None:
    with pytest.raises(ValueError, match="rise"):
        BenchmarkParams(job_counts=(2, 1))
