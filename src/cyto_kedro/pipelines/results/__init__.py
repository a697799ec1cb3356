"""The result tables of each movie and of the experiment."""

from cyto_kedro.pipelines.results.pipeline import create_pipeline

__all__ = ["create_pipeline"]
