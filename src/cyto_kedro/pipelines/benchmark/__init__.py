"""Benchmark: the production nodes at several numbers of jobs, measured and judged."""

from cyto_kedro.pipelines.benchmark.pipeline import create_pipeline

__all__ = ["create_pipeline"]
