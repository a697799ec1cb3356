"""The analysis again, with what a person said of its events."""

from cyto_kedro.pipelines.review.pipeline import with_review

__all__ = ["with_review"]
