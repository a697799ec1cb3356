"""Typed options of the trackers; lengths in um, durations in frames."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cyto_kedro.core.params import Params

Length = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Auto = Literal["auto"]


class CostTerms(Params):
    """What `lap` compares beyond distance; 0 = off.

    A weight of 1 lets a difference count as much as the movie itself shows it to say:
    its spread over the links found so far is learned (:class:`methods.tracking.costs
    .Costs`). They help where cells are crowded and move far, differ among each other,
    and are measured well.
    """

    area: Weight = Field(
        default=0.0, description="weight of the log ratio of areas (no unit)"
    )
    intensity: Weight = Field(
        default=0.0,
        description="weight of the log ratio of mean intensities (no unit)",
    )
    overlap: Weight = Field(
        default=0.0,
        description="weight of the missing overlap of the two masks, 1 - intersection "
        "over union (no unit); reads the masks",
    )


class DivisionRules(Params):
    """What two cells must show to be taken for the daughters of one.

    Without measured areas only the rules about places and times are applied.
    """

    midpoint_tolerance: float = Field(
        default=4.0,
        ge=0,
        description="a mother must lie nearer to the middle between her daughters than "
        "to one of them, within this many standard deviations of the movie's "
        "prediction error",
    )
    min_sister_area_ratio: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="least area of the smaller daughter / the larger one's",
    )
    min_daughter_frames: int = Field(
        default=3,
        ge=1,
        description="frames over which a daughter must be followed, unless the movie "
        "ends or it leaves the field; shorter ones are pieces of a mask",
    )
    min_apart_frames: int = Field(
        default=10,
        ge=1,
        description="frames over which daughters must stay apart before their masks "
        "may become one again; else one mask was in two pieces",
    )


class LapOptions(Params):
    """Linear assignment in two steps, with motion prediction (the default).

    pyCyto's TrackMate options mean: ``linking_max_distance=15`` is
    ``linking_max_distance_um: 15`` at 1 um per pixel, ``gap_closing_max_distance`` is
    ``gap_closing_max_distance_um``, and ``max_frame_gap=5`` (a difference of frame
    numbers) is ``max_gap_frames: 4`` (frames in which the cell is missing). TrackMate
    itself is reproduced with ``motion: none``, ``field_edge: false``,
    ``join_single_detections: false`` and ``division: null``.
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
    division: DivisionRules | None = Field(
        default=DivisionRules(),
        description="what daughters must show; null = a new cell near another one is "
        "its daughter",
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
    cost_terms: CostTerms = Field(
        default=CostTerms(), description="what is compared beyond distance"
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


class OverlapOptions(Params):
    """Largest total overlap of masks: dense cells that move less than their size.

    It needs registered images and masks, and knows no motion: a cell that leaves its
    own outline within a frame is lost.
    """

    name: Literal["overlap"] = Field(default="overlap", description="method")
    min_iou: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="least intersection over union of a cell's masks",
    )
    max_gap_frames: int = Field(
        default=2, ge=0, description="most frames in a row in which a cell is missed"
    )
    splitting_min_overlap: Share | None = Field(
        default=0.5,
        description="part of a daughter's mask that lies on its mother's; null = off",
    )
    merging_min_overlap: Share | None = Field(
        default=None,
        description="part of a vanishing mask that lies on the cell that it merges "
        "into; null = off",
    )


class RelinkingOptions(Params):
    """Joining tracks across long gaps after tracking, whichever tracker made them."""

    max_gap_min: float = Field(
        default=20.0, gt=0, description="longest time between the two tracks (min)"
    )
    max_distance_um: float = Field(
        default=30.0, gt=0, description="farthest from the end to the start (um)"
    )
    min_probability: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="least probability of a join, among all joins of its two sides and "
        "none",
    )
    appearance: bool = Field(
        default=True,
        description="compare area and mean intensity, as far as they are constant in "
        "time and differ between cells",
    )


TrackerOptions = LapOptions | LaptrackOptions | TrackpyOptions | OverlapOptions
