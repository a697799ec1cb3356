"""Nodes grouped into stages."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.tags import EXPERIMENT, FRAME_WISE
from cyto_kedro.runners.stages import Placement, stages_of


def same(value):
    return value


def join(*values):
    return values


CHAIN = Pipeline(
    [
        Node(same, "raw", "image", name="correct", tags=FRAME_WISE),
        Node(same, "image", "labels", name="segment", tags=FRAME_WISE),
        Node(same, "labels", "cells", name="tabulate"),
        Node(same, "cells", "tracks", name="track"),
        Node(same, "tracks", "table@movie", name="summarise"),
        Node(same, "table@all", "report", name="report", tags=EXPERIMENT),
    ]
)


def placed(node, **places):
    return places.get(node.name, Placement(key="cpu"))


def test_followers_with_equal_resources_share_a_job():
    stages = stages_of(CHAIN, lambda node: placed(node))
    assert [s.nodes for s in stages] == [
        ("correct", "segment", "tabulate", "track", "summarise"),
        ("report",),
    ]
    assert stages[1].joint
    assert stages[1].parents == (stages[0].name,)


def test_fanned_out_nodes_stand_alone():
    windows = Placement(key="cpu", frames=10)
    stages = stages_of(CHAIN, lambda n: placed(n, correct=windows, segment=windows))
    assert [s.name for s in stages] == ["correct", "segment", "tabulate+2", "report"]
    assert stages[2].parents == ("segment",)


def test_other_resources_cut_the_chain():
    gpu = Placement(key="gpu")
    stages = stages_of(CHAIN, lambda n: placed(n, segment=gpu))
    assert [s.name for s in stages] == ["correct", "segment", "tabulate+2", "report"]


def test_a_node_whose_frames_depend_on_each_other_is_not_fanned_out():
    with pytest.raises(ConfigError, match="'tabulate' cannot be fanned out"):
        stages_of(CHAIN, lambda n: placed(n, tabulate=Placement(key="c", frames=5)))


@given(st.integers(2, 12), st.data())
def test_stages_come_after_what_they_need_whatever_the_graph(n, data):
    """Grouping keeps the graph free of cycles and every node in one stage."""
    nodes, keys = [], {}
    for i in range(n):
        earlier = [f"d{j}" for j in range(i)]
        inputs = (
            data.draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3))
            if earlier
            else []
        )
        nodes.append(Node(join, inputs or ["raw"], f"d{i}", name=f"n{i}"))
        keys[f"n{i}"] = Placement(key=data.draw(st.sampled_from("ab")))
    pipeline = Pipeline(nodes)
    stages = stages_of(pipeline, lambda node: keys[node.name])
    assert sorted(itertools.chain(*(s.nodes for s in stages))) == sorted(keys)
    seen: set[str] = set()
    for stage in stages:
        assert set(stage.parents) <= seen
        seen.add(stage.name)
        assert len({keys[name].key for name in stage.nodes}) == 1
    stage_of = {name: s for s in stages for name in s.nodes}
    order = {s.name: i for i, s in enumerate(stages)}
    for node in pipeline.nodes:
        for name in node.inputs:
            if name != "raw":
                maker = stage_of["n" + name[1:]]
                assert order[maker.name] <= order[stage_of[node.name].name]
