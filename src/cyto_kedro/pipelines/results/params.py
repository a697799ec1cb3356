"""Parameters of the results pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.results.quality import QualityLimits


class ResultsParams(Params):
    """What the summary of a movie warns of."""

    qc: QualityLimits = Field(
        default_factory=QualityLimits, description="from where on the report warns"
    )
