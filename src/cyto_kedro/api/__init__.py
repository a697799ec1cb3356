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
from cyto_kedro.api.files import import_yaml, run_yaml
from cyto_kedro.api.images import (
    CellPose,
    ChannelMerge,
    GammaCorrection,
    ImageToLabel,
    PercentileNormalization,
    StarDist,
)
from cyto_kedro.api.motion import MSD, CrossChannelCorrelation, Kinematics
from cyto_kedro.api.records import (
    load_db_config,
    load_notebook_config,
    write_run_metadata,
)

__all__ = [
    "MSD",
    "CellPose",
    "CellTriangulation",
    "ChannelMerge",
    "CrossCellContactMeasures",
    "CrossChannelCorrelation",
    "CrossTableOperation",
    "FeatureFilter",
    "GammaCorrection",
    "ImageToLabel",
    "KernelDensityEstimation",
    "Kinematics",
    "LabelToSparse",
    "PercentileNormalization",
    "StarDist",
    "TrackMate",
    "TrackPy",
    "import_yaml",
    "load_db_config",
    "load_notebook_config",
    "run_yaml",
    "write_run_metadata",
]
