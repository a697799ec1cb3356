"""Reporting: figures of each movie and the page that a biologist opens first."""

from cyto_kedro.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
