"""pyCyto files for a tiny simulated movie."""

from __future__ import annotations

from pathlib import Path

from project import Project
from small_experiment import small_project

MOVIE = "killing_A1"

STAGES = """
description: T cells killing cancer cells
channels:
  TCell: {raw}/tcell.ome.tif
  Dead: {raw}/death.ome.zarr
  CancerCell: {raw}/cancer/im_*.tif
image_range:
  x: [0, null, 1]
  y: [0, -1, 1]
  t: [0, 700, 1]
output_dir: output
spacing: [0.65, 0.65]
pipeline:
  preprocessing:
    - name: PercentileNormalization
      channels: [TCell]
      args: {{lp: 1, up: 99.9}}
      output: true
  segmentation:
    - name: CellPose
      tag: Cellpose_TCell
      channels: [TCell]
      input_type: image
      args: {{model_type: cyto2, diameter: 13, channels: [0, 0]}}
      output_type: label
      output: true
    - name: CellPose
      tag: Cellpose_Cancer
      channels: [CancerCell]
      input_type: image
      args: {{model_type: cyto2, diameter: 31}}
      output_type: label
      output: true
  label_to_sparse:
    image_label_pair: [[TCell, TCell], [CancerCell, CancerCell], [Dead, CancerCell]]
    output: true
  tracking:
    - name: TrackMate
      channels: [TCell, CancerCell]
      args: {{linking_max_distance: 30, gap_closing_max_distance: 30}}
      output: true
  postprocessing:
    - name: CrossTableOperation
      channels: [[Dead, CancerCell]]
      input_type: [feature]
      output_type: [feature]
      args: {{column: mean, operation: divide}}
      output_channel_name: [DeadShare]
      output: true
    - name: FeatureFilter
      channels: [CancerCell]
      input_type: [feature]
      output_type: [feature]
      args: {{column: size, operation: ">=", value: 500}}
      output_channel_name: [CancerLarge]
      output: true
    - name: CellTriangulation
      channels: [TCell]
      input_type: [image, feature]
      output_type: [image, network]
      args: {{base_image: false}}
      output_channel_name: [TCellNetwork]
      output: true
    - name: CrossCellContactMeasures
      channels: [[TCell, CancerCell], [CancerCell, TCell]]
      input_type: [image, label, feature]
      output_type: [image, feature, network]
      args: {{base_image: false}}
      output_channel_name: [TCellToCancerCell, CancerCellToTCell]
      output: true
"""

GRAPH = """
channels:
  TCell: {raw}/tcell.ome.tif
  CancerCell: {raw}/cancer/im_*.tif
output_dir: output
tasks:
  cancer_segmentation:
    module: cyto.segmentation.cellpose.CellPose
    channel: CancerCell
    params: {{model_type: cyto2, diameter: 31}}
    tags: [segmentation]
  cancer_tracking:
    module: cyto.tracking.trackmate.TrackMate
    params: {{linking_max_distance: 30}}
    dependencies: [cancer_segmentation]
    output: true
"""
RESOURCES = """
execution_configs:
  hybrid:
    cancer_segmentation: {type: container, runner: docker, image: "cellpose:latest"}
default_profile: hybrid
"""

CLUSTER = """
execution_configs:
  cluster:
    cancer_segmentation:
      type: container
      runner: singularity
      image: cellpose.sif
      resources:
        {mem: 32G, partition: gpu_short, cpus-per-task: 16, gres: "gpu:1",
         batch_size: 2}
    cancer_tracking: {resources: {memory: 16Gi, partition: short}}
default_profile: cluster
"""


def tiny_project(folder: Path, text: str, name: str) -> tuple[Project, Path]:
    """A project with one movie, and a pipeline file for it."""
    project = small_project(folder, n_movies=2, frames=6)
    raw = project.folder / "data" / "01_raw" / "example" / MOVIE
    file = project.folder / name
    file.write_text(text.format(raw=raw.as_posix()), encoding="utf-8")
    return project, file
