"""What pyCyto's settings mean here: lengths, gaps, names, roles, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.formats import (
    DagPipeline,
    LegacyPipeline,
    ResourcesFile,
    choose_profile,
    read_pipeline,
    read_resources,
    sibling_resources,
)
from cyto_kedro.legacy.state import Facts, Options
from cyto_kedro.legacy.translate import Translation, environment_name, translate


def written(
    folder: Path, values: dict[str, Any], name: str = "pipeline.x.yaml"
) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def stages(**pipeline: Any) -> dict[str, Any]:
    return {
        "channels": {"TCell": "t.tif", "Cancer": "c.tif", "Dead": "d.tif"},
        "spacing": [0.5, 0.5],
        "pipeline": pipeline,
    }


CELLS = [{"name": "CellPose", "channels": ["TCell", "Cancer"], "args": {}}]


def of(values: dict[str, Any], folder: Path, **options: Any) -> Translation:
    document = read_pipeline(written(folder, values))
    return translate(document, name="x", base=folder, **options)


def tracker(folder: Path, facts: Facts | None = None, **args: Any) -> dict[str, Any]:
    track = [{"name": "TrackMate", "channels": ["TCell"], "args": args}]
    values = stages(segmentation=CELLS, tracking=track)
    found = of(values, folder, facts=facts).parameters["tracking"]["TCell"]["method"]
    return dict(found)


def test_trackmate_keeps_its_pixels_and_counts_missing_frames(tmp_path: Path) -> None:
    # 12 px of 0.5 um; frames t and t + 4 may be linked: 3 frames are missed.
    method = tracker(tmp_path, linking_max_distance=12, max_frame_gap=4)
    assert method["linking_max_distance_um"] == 6.0
    assert method["max_gap_frames"] == 3
    # pyCyto's own defaults hold where the file is silent: 15 px, 5 frames.
    assert method["gap_closing_max_distance_um"] == 7.5
    assert tracker(tmp_path)["max_gap_frames"] == 4


def test_sizes_are_areas(tmp_path: Path) -> None:
    track = [
        {
            "name": "TrackMate",
            "channels": ["TCell"],
            "args": {"size_min": 40, "size_max": 400},
        }
    ]
    found = of(stages(segmentation=CELLS, tracking=track), tmp_path).parameters
    assert found["segmentation"]["TCell"]["min_area_um2"] == 10.0
    assert found["segmentation"]["TCell"]["max_area_um2"] == 100.0
    assert "max_area_um2" not in found["segmentation"]["Cancer"]


def test_without_spacing_lengths_are_pixels_unless_the_images_know(
    tmp_path: Path,
) -> None:
    values = stages(segmentation=[CELLS[0] | {"args": {"diameter": 20}}])
    del values["spacing"]
    plain = of(values, tmp_path)
    assert plain.layout["pixel_size_um"] == 1.0
    assert plain.parameters["segmentation"]["TCell"]["method"]["diameter_um"] == 20.0
    known = of(values, tmp_path, facts=Facts(pixel_size_um=0.25))
    assert known.layout["pixel_size_um"] is None
    assert known.parameters["segmentation"]["TCell"]["method"]["diameter_um"] == 5.0


def test_spacing_must_agree_with_the_images(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"0\.25 um per pixel"):
        of(stages(segmentation=CELLS), tmp_path, facts=Facts(pixel_size_um=0.25))
    values = stages(segmentation=CELLS) | {"spacing": [0.5, 0.6]}
    with pytest.raises(ConfigError, match="not square"):
        of(values, tmp_path)


def test_range_ends_where_the_images_end(tmp_path: Path) -> None:
    crop = {"x": [10, 50, 1], "y": [0, -1, 1], "t": [2, 700, 3]}
    values = stages(segmentation=CELLS) | {"image_range": crop}
    found = of(values, tmp_path, facts=Facts(shape=(40, 64, 64)))
    assert found.parameters["ingest"]["image_range"] == {
        "x": [10, 50, 1],
        "t": [2, None, 3],
    }


def test_old_cellpose_models_are_replaced_with_a_warning(tmp_path: Path) -> None:
    item = CELLS[0] | {"args": {"model_type": "cyto2", "channels": [0, 0]}}
    found = of(stages(segmentation=[item]), tmp_path)
    assert found.parameters["segmentation"]["TCell"]["method"]["model"] == "cpsam_v2"
    told = {row.key: row for row in found.report.rows}
    row = told["pipeline.segmentation[0] CellPose args.model_type"]
    assert row.verdict == "changed" and "cyto2" in row.note
    assert told["pipeline.segmentation[0] CellPose args.channels"].verdict == "ignored"
    own = of(
        stages(segmentation=[item]),
        tmp_path,
        options=Options(cellpose_model="/models/mine"),
    )
    method = own.parameters["segmentation"]["TCell"]["method"]
    assert method["model"] == "/models/mine"


def test_classical_only_where_the_user_says_so(tmp_path: Path) -> None:
    item = CELLS[0] | {"args": {"diameter": 24}}
    values = stages(segmentation=[item])
    assert of(values, tmp_path).parameters["segmentation"]["TCell"]["method"][
        "name"
    ] == ("cellpose")
    classical = of(values, tmp_path, options=Options(segmenter="classical"))
    method = classical.parameters["segmentation"]["TCell"]["method"]
    assert method == {"name": "classical", "diameter_um": 12.0}


def test_kinds_come_from_names_partners_and_order(tmp_path: Path) -> None:
    def kinds(first: str, second: str, **item: Any) -> dict[str, str]:
        values = stages(
            segmentation=[
                {"name": "CellPose", "channels": [first], "args": {}} | item,
                {"name": "CellPose", "channels": [second], "args": {}},
            ],
            postprocessing=[
                {
                    "name": "CrossCellContactMeasures",
                    "channels": [[first, second]],
                    "args": {},
                }
            ],
        )
        values["channels"] = {first: "1.tif", second: "2.tif"}
        roles = of(values, tmp_path).layout["roles"]
        return {name: role["kind"] for name, role in roles.items()}

    assert kinds("Cancer", "NK") == {"Cancer": "target", "NK": "effector"}
    assert kinds("HL60", "Tcell") == {"HL60": "target", "Tcell": "effector"}
    assert kinds("green", "red") == {"green": "effector", "red": "target"}
    assert kinds("green", "red", role="target") == {
        "green": "target",
        "red": "effector",
    }
    with pytest.raises(ConfigError, match="role: effector"):
        kinds("Cancer", "Tumour")


def test_contacts_as_pycyto_only_on_request(tmp_path: Path) -> None:
    pair = {
        "name": "CrossCellContactMeasures",
        "channels": [["TCell", "Cancer"]],
        "args": {},
    }
    values = stages(segmentation=CELLS, postprocessing=[pair])
    assert "contacts" not in of(values, tmp_path).parameters
    wanted = {"rule": {"name": "overlap"}}
    told = of(values, tmp_path, options=Options(contacts="overlap"))
    assert told.parameters["contacts"] == wanted
    written_in = of(values | {"contacts": {"mode": "overlap"}}, tmp_path)
    assert written_in.parameters["contacts"] == wanted


@pytest.mark.parametrize(
    ("stage", "item", "words"),
    [
        ("segmentation", {"name": "Cellpose"}, "did you mean 'CellPose'"),
        ("segmentation", {"name": "os.system"}, "There is no module 'os.system'"),
        ("tracking", {"name": "CellPose"}, "belongs to the stage segmentation"),
        ("segmentation", {"name": "CellPose", "args": {"diametre": 3}}, "'diameter'"),
        ("segmentation", {"name": "CellPose", "args": {"diameter": "big"}}, "'big'"),
        ("segmentation", {"name": "CellPose", "channels": ["Tcel"]}, "'TCell'"),
        ("preprocessing", {"name": "ChannelMerge", "channels": ["Dead"]}, "groups"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, stage: str, item: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        of(stages(**{stage: [{"channels": "all"} | item]}), tmp_path)


def test_what_has_no_equivalent_is_refused(tmp_path: Path) -> None:
    track = [{"name": "Ultrack", "channels": ["TCell"], "args": {}}]
    found = of(stages(segmentation=CELLS, tracking=track), tmp_path)
    with pytest.raises(ConfigError, match="Ultrack"):
        found.refuse()


def graph(**tasks: Any) -> dict[str, Any]:
    channels = {"TCell": "t.tif", "Cancer": "c.tif"}
    return {"channels": channels, "spacing": 1.0, "tasks": tasks}


SEGMENT = {"module": "cyto.segmentation.cellpose.CellPose"}
TRACK = {"module": "cyto.tracking.trackmate.TrackMate"}


def test_tasks_find_their_channels(tmp_path: Path) -> None:
    values = graph(
        tcell_segmentation=SEGMENT,
        other=SEGMENT | {"tags": ["segmentation", "cancers"]},
        track={"dependencies": ["other"], **TRACK},
    )
    found = of(values, tmp_path)
    assert set(found.layout["roles"]) == {"TCell", "Cancer"}
    assert "motion" in found.parameters["tracking"]["Cancer"]["method"]
    assert "motion" not in found.parameters["tracking"]["TCell"]["method"]


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ({"cells": SEGMENT}, "TCell, Cancer"),
        ({"cells": SEGMENT | {"channel": "Tcell"}}, "did you mean 'TCell'"),
        ({"x": SEGMENT | {"tags": ["tcell", "cancer"]}}, "fits several"),
        ({"tcell": SEGMENT | {"dependencies": ["y"]}}, "no task"),
        (
            {
                "tcell_a": SEGMENT | {"dependencies": ["tcell_b"]},
                "tcell_b": TRACK | {"dependencies": ["tcell_a"]},
            },
            "loop",
        ),
        ({"tcell": {"module": "cyto.tracking.x.CellPose"}}, "cellpose.CellPose"),
    ],
)
def test_tasks_that_cannot_be_meant(
    tmp_path: Path, tasks: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        of(graph(**tasks), tmp_path)


def test_a_graph_without_images_says_how_to_name_them(tmp_path: Path) -> None:
    values = {"tasks": {"tcell_segmentation": SEGMENT}}
    with pytest.raises(ConfigError, match="--channel tcell=PATH"):
        of(values, tmp_path)


def test_formats_are_told_apart(tmp_path: Path) -> None:
    legacy = written(tmp_path, stages(segmentation=CELLS))
    assert isinstance(read_pipeline(legacy), LegacyPipeline)
    assert isinstance(
        read_pipeline(written(tmp_path, graph(tcell=SEGMENT), "g.yaml")), DagPipeline
    )
    configs = written(
        tmp_path, {"execution_configs": {"local": None}}, "pipeline-resources.x.yaml"
    )
    assert isinstance(read_resources(configs), ResourcesFile)
    assert sibling_resources(legacy) == configs
    with pytest.raises(ConfigError, match="resources file"):
        read_pipeline(configs)
    with pytest.raises(ConfigError, match="no pipeline"):
        read_pipeline(written(tmp_path, {"a": 1}, "a.yaml"))
    assert environment_name(Path("pipeline.container_example.yaml")) == (
        "container_example"
    )


def test_profile_precedence() -> None:
    assert choose_profile("local", "cluster", "container") == "local"
    assert choose_profile(None, "cluster", "container") == "cluster"
    assert choose_profile(None, None, "container") == "container"
    assert choose_profile(None, None, None) == "hybrid"


def test_resources_become_slurm_requests_of_the_right_nodes(tmp_path: Path) -> None:
    values = graph(tcell_segmentation=SEGMENT, tcell_track=TRACK)
    resources = ResourcesFile.model_validate(
        {
            "execution_configs": {
                "cluster": {
                    "tcell_segmentation": {
                        "type": "container",
                        "runner": "singularity",
                        "image": "x.sif",
                        "resources": {
                            "memory": "8Gi",
                            "cpus-per-task": 4,
                            "gpu": 1,
                            "batch_size": 50,
                            "account": "lab",
                        },
                    },
                    "tcell_track": {"resources": {"mem": "32GB", "batch_size": 9}},
                }
            }
        }
    )
    found = of(values, tmp_path, resources=resources, profile="cluster")
    assert found.in_containers
    assert found.slurm["nodes"] == {
        "TCell.segment": {
            "cpus_per_task": 4,
            "mem": "8Gi",
            "gres": "gpu:1",
            "extra": {"account": "lab"},
            "fan_out": {"frames": 50},
        },
        "TCell.track": {"mem": "32G"},
    }
    local = of(values, tmp_path, resources=resources, profile="local")
    assert not local.in_containers
    with pytest.raises(ConfigError, match="did you mean 'cluster'"):
        of(values, tmp_path, resources=resources, profile="clustr")


@pytest.mark.parametrize("normalised", [False, True])
def test_merged_channels_weigh_as_in_pycyto(tmp_path: Path, normalised: bool) -> None:
    merge = {
        "name": "ChannelMerge",
        "channels": [["Dead", "Cancer"]],
        "args": {},
        "output_channel_name": "All",
    }
    norm = {"name": "PercentileNormalization", "channels": "all", "args": {}}
    cells = [CELLS[0] | {"channels": ["TCell", "All"]}]
    values = stages(preprocessing=[merge, norm][: 1 + normalised], segmentation=cells)
    told = Facts(means={"Dead": 50.0, "Cancer": 200.0})
    found = of(values, tmp_path, facts=told)
    entry = found.parameters["preprocessing"]["merge"]["All"]
    one = "pipeline.preprocessing[0] ChannelMerge weights"
    verdict = {row.key: row.verdict for row in found.report.rows}[one]
    if normalised:
        assert (entry, verdict) == ({}, "changed")
    else:
        assert entry == {"weights": {"Dead": 0.02, "Cancer": 0.005}}
        assert verdict == "mapped"
    blind = of(values, tmp_path).parameters["preprocessing"]["merge"]["All"]
    assert blind == {}
