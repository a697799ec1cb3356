"""Motion of the tracked cells of every role."""

from cyto_kedro.pipelines.kinematics.pipeline import create_pipeline

__all__ = ["create_pipeline"]
