"""pyCyto's call style for notebooks: ``CellPose(...)(data)``, dict in, dict out.

Keys are ``image`` (TYX), ``label`` (TYX uint32), ``dataframe`` and ``network``; its
older ``images``, ``labels``, ``feature`` and ``features`` are understood. The methods
and the meaning of arguments are those of the pipelines; see docs/migration.md.
"""

from cyto_kedro.api.cells import (
    CellTriangulation,
    CrossCellContactMeasures,
    CrossTableOperation,
    FeatureFilter,
    KernelDensityEstimation,
    LabelToSparse,
    TrackMate,
    TrackPy,
)
from cyto_kedro.api.images import (
    CellPose,
    ChannelMerge,
    GammaCorrection,
    ImageToLabel,
    PercentileNormalization,
    StarDist,
)
from cyto_kedro.api.records import (
    load_db_config,
    load_notebook_config,
    write_run_metadata,
)

__all__ = [
    "CellPose",
    "CellTriangulation",
    "ChannelMerge",
    "CrossCellContactMeasures",
    "CrossTableOperation",
    "FeatureFilter",
    "GammaCorrection",
    "ImageToLabel",
    "KernelDensityEstimation",
    "LabelToSparse",
    "PercentileNormalization",
    "StarDist",
    "TrackMate",
    "TrackPy",
    "load_db_config",
    "load_notebook_config",
    "write_run_metadata",
]
