"""pyCyto's modules by class name: what each argument is called here, and means."""

from __future__ import annotations

from cyto_kedro.legacy.module import Arg, Module, area, gap, length

_QUIET = Arg(verdict="ignored", note="a run logs what it does")
_DRAWING = Arg(verdict="ignored", note="pictures are in the report")
_ONE = {"verbose": _QUIET}
_PIXELS = (
    "pyCyto's spacing was fixed at 1, so that lengths were pixels; here um: pixels "
    "times the pixel size"
)
_THREADS = Arg(verdict="ignored", note="the runner decides how many processes work")
_COLUMN = Arg(verdict="ignored", note="columns have fixed names")
_COLUMNS = dict.fromkeys(("x_col", "y_col", "frame_col", "track_id_col"), _COLUMN)
_WIDE_LABELS = "masks are 32 bit (pyCyto's wrap at 255 or 65535)"

_CELLPOSE = {
    "model_type": Arg("model", "mapped"),
    "cellprob_thresh": Arg("cellprob_threshold", default=-3.0),
    "flow_threshold": Arg("flow_threshold"),
    "diameter": Arg(
        "diameter_um", "changed", "pixels there, um here", length, default=16.18
    ),
    "batch_size": Arg("batch_size", note="tiles per GPU batch"),
    "gpu": Arg("gpu", convert=lambda value, _: "auto" if value else "off"),
    "channels": Arg(
        verdict="ignored", note="Cellpose 4 takes any channel; only one is given"
    ),
    "model_matching_thresh": Arg(verdict="ignored", note="Cellpose 4 has none"),
} | _ONE
_STARDIST = {
    "model_name": Arg("model"),
    "prob_thresh": Arg("prob_threshold"),
    "nms_thresh": Arg("nms_threshold"),
} | _ONE
_TRACKMATE = {
    "linking_max_distance": Arg(
        "linking_max_distance_um", "changed", _PIXELS, length, default=15.0
    ),
    "gap_closing_max_distance": Arg(
        "gap_closing_max_distance_um", "changed", _PIXELS, length, default=15.0
    ),
    "max_frame_gap": Arg(
        "max_gap_frames",
        "changed",
        "a difference of frame numbers there, missing frames here: one less",
        gap,
        default=5,
    ),
    "size_min": Arg(
        "min_area_um2",
        "changed",
        "pixels there, um2 here; such cells leave the masks, not only the tracks",
        area,
        place="segmentation.{name}",
    ),
    "size_max": Arg(
        "max_area_um2",
        "changed",
        "pixels there, um2 here; such cells leave the masks, not only the tracks",
        area,
        place="segmentation.{name}",
    ),
    "FIJI_DIR": Arg(verdict="ignored", note="tracking needs no Fiji"),
    "ij": Arg(verdict="ignored", note="tracking needs no Fiji"),
} | _ONE
_CONTACTS = {
    "base_image": _DRAWING,
    "threads": _THREADS,
    "parallel_backend": _THREADS,
} | _ONE

MODULES: dict[str, Module] = {
    "ChannelMerge": Module(
        "preprocessing",
        "cyto.utils.utils.ChannelMerge",
        {"weights": Arg("weights")} | _ONE,
        nodes=("{name}.merge",),
        grouped=True,
    ),
    "PercentileNormalization": Module(
        "preprocessing",
        "cyto.preprocessing.normalization.PercentileNormalization",
        {"lp": Arg("lp", default=5), "up": Arg("up", default=95)} | _ONE,
        note="the result is 0 to 1 in float32, not the full range of integers",
        nodes=("{name}.preprocess",),
    ),
    "GammaCorrection": Module(
        "preprocessing",
        "cyto.preprocessing.normalization.GammaCorrection",
        {"gamma": Arg("gamma", default=1.0), "gain": Arg("gain", default=1.0)} | _ONE,
        nodes=("{name}.preprocess",),
    ),
    "CrossChannelCorrelation": Module(
        "preprocessing",
        "cyto.preprocessing.cross_channel_correlation.CrossChannelCorrelation",
        {
            "mode": Arg(verdict="ignored", note="frame by frame"),
            "method": Arg(verdict="ignored", note="Pearson's: about the mean"),
            "scale": Arg(verdict="ignored", note="-1 to 1, no grey values"),
        }
        | _ONE,
        note="a table for all pairs of channels, in the image and inside masks; no "
        "image of products, whose 16 bits wrap",
        nodes=("features.correlate",),
        grouped=True,
    ),
    "register_denoise": Module(
        "preprocessing",
        "cyto.preprocessing.register_denoise",
        {
            "type_of_transform": Arg(
                "transform",
                note="name of ANTs, in lower case",
                convert=lambda value, _: str(value).lower(),
            )
        }
        | _ONE,
        note="registers once for all channels, then denoises each channel, with ANTs; "
        "block_correlation is many times faster",
        nodes=("preprocessing.estimate_drift", "{name}.preprocess"),
        anywhere=True,
    ),
    "CellPose": Module(
        "segmentation",
        "cyto.segmentation.cellpose.CellPose",
        _CELLPOSE,
        note=_WIDE_LABELS,
        nodes=("{name}.segment",),
    ),
    "StarDist": Module(
        "segmentation",
        "cyto.segmentation.stardist.StarDist",
        _STARDIST,
        note=_WIDE_LABELS,
        nodes=("{name}.segment",),
    ),
    "ImageToLabel": Module(
        "segmentation",
        "cyto.utils.utils.ImageToLabel",
        _ONE,
        note="the file is taken as masks, with its ids; registration moves them",
        nodes=("{name}.import_masks",),
    ),
    "label_to_sparse": Module(
        "tabulation",
        "cyto.utils.label_to_table.label_to_sparse",
        _ONE,
        note="ids are those of the masks; all channels are measured in all masks",
        nodes=("{name}.tabulate",),
    ),
    "TrackMate": Module(
        "tracking",
        "cyto.tracking.trackmate.TrackMate",
        _TRACKMATE,
        note="TrackMate's linear assignment, without motion prediction or divisions",
        nodes=("{name}.track",),
    ),
    "TrackPy": Module(
        "tracking",
        "cyto.tracking.trackpy.TrackPy",
        {
            "search_range": Arg(
                "linking_max_distance_um", "changed", _PIXELS, length, default=15.0
            ),
            "memory": Arg("max_gap_frames", default=0),
        }
        | _ONE,
        nodes=("{name}.track",),
        anywhere=True,
    ),
    "Ultrack": Module(
        "tracking",
        "cyto.tracking.ultrack.Ultrack",
        refused="there is no Ultrack here: use TrackMate, or its method 'lap'",
        anywhere=True,
    ),
    "CrossTableOperation": Module(
        "postprocessing",
        "cyto.postprocessing.sparse_to_sparse.CrossTableOperation",
        {"column": Arg("column"), "operation": Arg("operation")} | _ONE,
        note="cells are matched by frame and mask, not by row; x / 0 is undefined",
        nodes=("features.combine",),
        grouped=True,
    ),
    "FeatureFilter": Module(
        "postprocessing",
        "cyto.postprocessing.sparse_to_sparse.FeatureFilter",
        {
            "column": Arg("column"),
            "operation": Arg("operation", convert=lambda value, _: str(value)),
            "value": Arg("value"),
        }
        | _ONE,
        note="selects and writes which tracks pass; later stages see all cells",
        nodes=("{name}.select",),
    ),
    "KernelDensityEstimation": Module(
        "postprocessing",
        "cyto.postprocessing.sparse_to_dense.KernelDensityEstimation",
        {
            "base_image": _DRAWING,
            "downscale_factor": Arg(
                "grid_um", "changed", "spacing of the map in um", length
            ),
            "gradient": Arg(verdict="ignored", note="the map is written, no gradient"),
        }
        | _ONE,
        note="cells per mm2, not relative to the peak: a table of parts of the movie, "
        "an image of each frame; edges are not thinned",
        nodes=("{name}.density_map",),
    ),
    "CellTriangulation": Module(
        "postprocessing",
        "cyto.postprocessing.graph.CellTriangulation",
        {"base_image": _DRAWING} | _ONE,
        note="the smallest radius that joins all cells is computed exactly (longest "
        "edge of the spanning tree), not searched in steps of 10 px; lengths are um",
        nodes=("networks.build",),
    ),
    "CrossCellContactMeasures": Module(
        "postprocessing",
        "cyto.postprocessing.graph.CrossCellContactMeasures",
        _CONTACTS,
        nodes=("{name}.measure", "{name}.episodes"),
        grouped=True,
    ),
    "Kinematics": Module(
        "postprocessing",
        "cyto.utils.kinematics.cal_kinematics",
        _COLUMNS | _ONE,
        note="velocity is from the previous point, the first undefined, um/min; path "
        "efficiency is net over travelled distance, not its inverse",
        nodes=("{name}.kinematics",),
        anywhere=True,
    ),
    "MSD": Module(
        "postprocessing",
        "cyto.utils.kinematics.cal_msd",
        dict.fromkeys(
            ("max_lag", "time_lag"), Arg("max_lag_frames", place="kinematics.msd")
        )
        | _COLUMNS
        | _ONE,
        note="pyCyto's mean squared displacement is wrong beyond lag 1",
        nodes=("{name}.kinematics",),
        also=("cyto.utils.kinematics.compute_msd_time_lag",),
        anywhere=True,
    ),
    "CDI": Module(
        "postprocessing",
        "cyto.postprocessing.sparse_to_sparse.calculate_cdi",
        {
            "viability_col": Arg(verdict="ignored", note="the channel of kind live"),
            "death_col": Arg(verdict="ignored", note="the channel of kind death"),
            "out_col": _COLUMN,
        }
        | _ONE,
        note="smoothed without padding by zeros, which let tracks end in a false death",
        nodes=("{name}.viability",),
        anywhere=True,
    ),
    "Viability": Module(
        "postprocessing",
        "cyto.postprocessing.sparse_to_sparse.cal_viability",
        {
            "pos_cols": Arg(verdict="ignored", note="the channel of kind live"),
            "neg_cols": Arg(verdict="ignored", note="the channel of kind death"),
        }
        | _ONE,
        note="a logistic curve of the death signal, in spreads of the living; smoothed "
        "without padding by zeros, which let tracks end in a false death",
        nodes=("{name}.viability",),
        anywhere=True,
    ),
    "SmoothedGradient": Module(
        "postprocessing",
        "cyto.postprocessing.sparse_to_sparse.compute_smoothed_gradient",
        refused="no column is smoothed for its gradient: deaths are found with "
        "killing.death.smoothing and fitted with killing.death.rise",
        also=("cyto.postprocessing.sparse_to_sparse.compute_savgol_filter",),
        anywhere=True,
    ),
}

#: Names of functions that do what a module does.
FUNCTIONS = {
    path.rpartition(".")[2]: name
    for name, module in MODULES.items()
    for path in (module.path, *module.also)
}
