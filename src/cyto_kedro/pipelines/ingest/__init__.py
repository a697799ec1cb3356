"""Check the raw channels of a movie and fix its calibration."""

from cyto_kedro.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
