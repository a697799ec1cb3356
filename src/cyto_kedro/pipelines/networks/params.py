"""Parameters of the networks pipeline."""

from __future__ import annotations

from cyto_kedro.methods.networks.graphs import NetworkOptions


class NetworksParams(NetworkOptions):
    """Which cells count as neighbours in the graphs of a frame."""
