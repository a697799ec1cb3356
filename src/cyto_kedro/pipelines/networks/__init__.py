"""Cells as networks: Delaunay, radius and contact graphs."""

from cyto_kedro.pipelines.networks.pipeline import create_pipeline

__all__ = ["create_pipeline"]
