"""The fixed parts of a TrackMate XML file: what is declared, and the settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from xml.sax.saxutils import quoteattr

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.datasets.trackmate_reader import LABEL_FEATURE

# Version of the file format, that of the real files which the tests compare with.
VERSION = "6.0.1"

# Name, short name, dimension and whether it is an integer, in TrackMate's words.
# Every attribute must be declared: TrackMate cannot save an undeclared one again.
_Feature = tuple[str, str, str, bool]
SPOT_FEATURES: dict[str, _Feature] = {
    "QUALITY": ("Quality", "Quality", "QUALITY", False),
    "POSITION_X": ("X", "X", "POSITION", False),
    "POSITION_Y": ("Y", "Y", "POSITION", False),
    "POSITION_Z": ("Z", "Z", "POSITION", False),
    "POSITION_T": ("T", "T", "TIME", False),
    "FRAME": ("Frame", "Frame", "NONE", True),
    "RADIUS": ("Radius", "R", "LENGTH", False),
    "VISIBILITY": ("Visibility", "Visibility", "NONE", True),
    LABEL_FEATURE: ("Label in the mask", "Label", "NONE", True),
}
EDGE_FEATURES: dict[str, _Feature] = {
    "SPOT_SOURCE_ID": ("Source spot ID", "Source ID", "NONE", True),
    "SPOT_TARGET_ID": ("Target spot ID", "Target ID", "NONE", True),
    "LINK_COST": ("Link cost", "Cost", "NONE", False),
    "EDGE_TIME": ("Time (mean)", "T", "TIME", False),
    "EDGE_X_LOCATION": ("X Location (mean)", "X", "POSITION", False),
    "EDGE_Y_LOCATION": ("Y Location (mean)", "Y", "POSITION", False),
    "EDGE_Z_LOCATION": ("Z Location (mean)", "Z", "POSITION", False),
    "VELOCITY": ("Velocity", "V", "VELOCITY", False),
    "DISPLACEMENT": ("Displacement", "D", "LENGTH", False),
}
TRACK_FEATURES: dict[str, _Feature] = {
    "NUMBER_SPOTS": ("Number of spots in track", "N spots", "NONE", True),
    "NUMBER_GAPS": ("Number of gaps", "Gaps", "NONE", True),
    "LONGEST_GAP": ("Longest gap", "Longest gap", "NONE", True),
    "NUMBER_SPLITS": ("Number of split events", "Splits", "NONE", True),
    "NUMBER_MERGES": ("Number of merge events", "Merges", "NONE", True),
    "NUMBER_COMPLEX": ("Complex points", "Complex", "NONE", True),
    "TRACK_DURATION": ("Duration of track", "Duration", "TIME", False),
    "TRACK_START": ("Track start", "T start", "TIME", False),
    "TRACK_STOP": ("Track stop", "T stop", "TIME", False),
    "TRACK_INDEX": ("Track index", "Index", "NONE", True),
    "TRACK_ID": ("Track ID", "ID", "NONE", True),
}
_FEATURES = {
    "SpotFeatures": SPOT_FEATURES,
    "EdgeFeatures": EDGE_FEATURES,
    "TrackFeatures": TRACK_FEATURES,
}


def declarations() -> Iterator[str]:
    """The ``FeatureDeclarations`` element."""
    yield "    <FeatureDeclarations>\n"
    for kind, features in _FEATURES.items():
        yield f"      <{kind}>\n"
        for key, (name, short, dimension, whole) in features.items():
            yield (
                f'        <Feature feature="{key}" name="{name}" shortname="{short}" '
                f'dimension="{dimension}" isint="{str(whole).lower()}" />\n'
            )
        yield f"      </{kind}>\n"
    yield "    </FeatureDeclarations>\n"


def settings(calibration: Calibration, radius_um: float, image: str) -> Iterator[str]:
    """The ``Settings`` element: the image, and that TrackMate itself ran nothing."""
    known = calibration
    step = known.frame_interval_min if known.n_frames > 1 else 1.0
    path = PurePath(image)
    folder = "" if str(path.parent) == "." else str(path.parent)
    yield "  <Settings>\n"
    yield (
        f"    <ImageData filename={quoteattr(path.name)} folder={quoteattr(folder)} "
        f'width="{known.width_px}" height="{known.height_px}" nslices="1" '
        f'nframes="{known.n_frames}" pixelwidth="{known.pixel_size_x_um!r}" '
        f'pixelheight="{known.pixel_size_y_um!r}" voxeldepth="1.0" '
        f'timeinterval="{step!r}" />\n'
    )
    yield (
        f'    <BasicSettings xstart="0" xend="{known.width_px - 1}" ystart="0" '
        f'yend="{known.height_px - 1}" zstart="0" zend="0" tstart="0" '
        f'tend="{known.n_frames - 1}" />\n'
    )
    yield (
        '    <DetectorSettings DETECTOR_NAME="MANUAL_DETECTOR" '
        f'RADIUS="{radius_um!r}" />\n'
    )
    yield (
        '    <InitialSpotFilter feature="QUALITY" value="-1.0" isabove="true" />\n'
        "    <SpotFilterCollection />\n"
        '    <TrackerSettings TRACKER_NAME="MANUAL_TRACKER" />\n'
        "    <TrackFilterCollection />\n"
        "    <AnalyzerCollection>\n      <SpotAnalyzers />\n      <EdgeAnalyzers />\n"
        "      <TrackAnalyzers />\n    </AnalyzerCollection>\n  </Settings>\n"
    )
