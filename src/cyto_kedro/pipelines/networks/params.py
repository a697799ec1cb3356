"""Parameters of the networks pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.methods.networks.graphs import NetworkOptions
from cyto_kedro.methods.networks.mixing import MixingOptions
from cyto_kedro.methods.spatial.density import DensityOptions


class NetworksParams(NetworkOptions):
    """Which cells count as neighbours in the graphs of a frame, and where they are."""

    mixing: MixingOptions = Field(
        default_factory=MixingOptions, description="do neighbours share their role"
    )
    density: DensityOptions = Field(
        default_factory=DensityOptions, description="maps of cells per area"
    )
