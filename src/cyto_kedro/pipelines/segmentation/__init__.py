"""Segmentation: the masks of every role, found in its image or given."""

from cyto_kedro.pipelines.segmentation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
