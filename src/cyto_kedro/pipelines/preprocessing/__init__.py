"""Raw channels -> registered, corrected images."""

from cyto_kedro.pipelines.preprocessing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
