"""Typed options of the trackers; lengths in um, durations in frames."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cyto_kedro.core.params import Params

Length = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Auto = Literal["auto"]


class LapOptions(Params):
    """Linear assignment in two steps, with motion prediction (the default).

    pyCyto's TrackMate options mean: ``linking_max_distance=15`` is
    ``linking_max_distance_um: 15`` at 1 um per pixel, ``gap_closing_max_distance`` is
    ``gap_closing_max_distance_um``, and ``max_frame_gap=5`` (a difference of frame
    numbers) is ``max_gap_frames: 4`` (frames in which the cell is missing). TrackMate
    itself is reproduced with ``motion: none``, ``field_edge: false`` and
    ``join_single_detections: false``.
    """

    name: Literal["lap"] = Field(default="lap", description="method")
    linking_max_distance_um: Length | Auto = Field(
        default="auto",
        description="farthest that a cell may be found from where it is expected in "
        "the next frame (um); auto = estimated from cell spacing and observed motion",
    )
    gap_closing_max_distance_um: Length | Auto | None = Field(
        default="auto",
        description="the same across frames in which a cell was missed (um); auto = "
        "as for linking, null = never join across missed frames",
    )
    max_gap_frames: int = Field(
        default=2, ge=0, description="most frames in a row in which a cell is missed"
    )
    splitting_max_distance_um: Length | Auto | None = Field(
        default="auto",
        description="farthest that a daughter may appear from its mother (um); auto = "
        "from cell spacing, null = cells do not divide",
    )
    merging_max_distance_um: Length | None = Field(
        default=None,
        description="farthest between a vanishing cell and the one that it merges "
        "into (um); null = cells do not merge",
    )
    motion: Literal["adaptive", "none"] = Field(
        default="adaptive",
        description="adaptive = expect each cell to move with its neighbours and to "
        "persist, as far as the movie shows that cells do; none = expect it in place",
    )
    field_edge: bool = Field(
        default=True,
        description="let entering or leaving through the image edge compete with "
        "divisions and joins: a cell near the edge may be a new one",
    )
    join_single_detections: bool = Field(
        default=True,
        description="let a detection that was linked to no other take part in gap "
        "closing, divisions and merges",
    )
    feature_penalties: dict[str, Weight] = Field(
        default_factory=dict,
        description="detection column -> weight: make links between cells that differ "
        "in it costlier (TrackMate's feature penalty), e.g. {size: 1.0}",
    )
    alternative_cost_factor: float = Field(
        default=1.05,
        gt=0,
        description="cost of not linking = this factor x a high candidate cost",
    )
    alternative_cost_percentile: float = Field(
        default=90.0,
        ge=0,
        le=100,
        description="percentile of the candidate costs that stands for a high one when "
        "segments are joined",
    )


class LaptrackOptions(Params):
    """The laptrack package (Fukai & Kawaguchi 2023).

    Source: doi:10.1093/bioinformatics/btac799

    A second, independent implementation of the same assignment, without motion
    prediction and without knowledge of the image edge; several times slower.
    """

    name: Literal["laptrack"] = Field(description="method")
    linking_max_distance_um: Length = Field(
        default=15.0, description="farthest link between consecutive frames (um)"
    )
    gap_closing_max_distance_um: Length | None = Field(
        default=15.0, description="farthest link across missed frames (um); null = off"
    )
    max_gap_frames: int = Field(
        default=2, ge=0, description="most frames in a row in which a cell is missed"
    )
    splitting_max_distance_um: Length | None = Field(
        default=None, description="farthest daughter from its mother (um); null = off"
    )
    merging_max_distance_um: Length | None = Field(
        default=None, description="farthest merging partner (um); null = off"
    )


class TrackpyOptions(Params):
    """The trackpy package: Crocker-Grier linking (doi:10.1006/jcis.1996.0217).

    No divisions; for sparse cells that move less than their spacing.
    """

    name: Literal["trackpy"] = Field(description="method")
    linking_max_distance_um: Length = Field(
        default=15.0, description="farthest link (um), also across missed frames"
    )
    max_gap_frames: int = Field(
        default=2, ge=0, description="most frames in a row in which a cell is missed"
    )


TrackerOptions = LapOptions | LaptrackOptions | TrackpyOptions
