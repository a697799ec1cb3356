"""Kedro datasets of the project: raw channels, images, tables, networks, figures.

Raw ones refuse every write; the others write under a staging name and publish by
rename (:func:`cyto_kedro.core.atomic.staged`). Each has ``path`` and ``data_type``
(Image, Label, Table, Network or Arbitrary) for the provenance hook.
"""

from cyto_kedro.datasets.channel import ChannelDataset, MasksDataset
from cyto_kedro.datasets.ctc import CtcTracksDataset, LabelledTracks
from cyto_kedro.datasets.documents import (
    ArbitraryDataset,
    JsonDataset,
    ModelDataset,
    TextDataset,
)
from cyto_kedro.datasets.figures import FiguresDataset
from cyto_kedro.datasets.geff_tracks import GeffDataset
from cyto_kedro.datasets.imaris import ImarisTracksDataset
from cyto_kedro.datasets.movies import ConditionsDataset, MovieCollectionDataset
from cyto_kedro.datasets.napari_tracks import NapariTracksDataset
from cyto_kedro.datasets.network import NetworkDataset
from cyto_kedro.datasets.ome_zarr import OmeZarrDataset
from cyto_kedro.datasets.program_csv import BtrackTracksDataset, UltrackTracksDataset
from cyto_kedro.datasets.table import TableDataset
from cyto_kedro.datasets.texts import TextsDataset
from cyto_kedro.datasets.trackmate import TrackMateDataset

__all__ = [
    "ArbitraryDataset",
    "BtrackTracksDataset",
    "ChannelDataset",
    "ConditionsDataset",
    "CtcTracksDataset",
    "FiguresDataset",
    "GeffDataset",
    "ImarisTracksDataset",
    "JsonDataset",
    "LabelledTracks",
    "MasksDataset",
    "ModelDataset",
    "MovieCollectionDataset",
    "NapariTracksDataset",
    "NetworkDataset",
    "OmeZarrDataset",
    "TableDataset",
    "TextDataset",
    "TextsDataset",
    "TrackMateDataset",
    "UltrackTracksDataset",
]
