"""Cells of a label mask as table rows: shape, position and intensities."""

from cyto_kedro.methods.tabulation.objects import FrameObjects, find_objects
from cyto_kedro.methods.tabulation.table import tabulate_movie

__all__ = ["FrameObjects", "find_objects", "tabulate_movie"]
