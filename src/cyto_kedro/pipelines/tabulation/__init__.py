"""Tabulation: one table row per cell and frame."""

from cyto_kedro.pipelines.tabulation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
