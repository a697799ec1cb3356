"""Parameters of the reporting pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.core.params import Params


class CardParams(Params):
    """Evidence cards: images, signals and credits of one death each."""

    most: int = Field(
        default=40,
        ge=0,
        description="cards per movie and target role; with more deaths, cards are "
        "evenly chosen over time",
    )
    in_report: int = Field(
        default=12, ge=0, description="cards per movie shown in the report"
    )
    frames: int = Field(default=7, ge=1, le=12, description="images per card")
    before_min: float = Field(
        default=40, ge=0, description="shown before the death (min)"
    )
    after_min: float = Field(
        default=20, ge=0, description="shown after the death (min)"
    )
    size_um: float = Field(default=60, gt=0, description="side of each image (um)")


class ReportingParams(Params):
    """What the report shows."""

    title: str = Field(default="Cytotoxicity report", description="heading of the page")
    strip_frames: int = Field(
        default=6, ge=1, le=12, description="frames in the movie strip"
    )
    tail_frames: int = Field(
        default=10, ge=0, description="length of the track tails (frames)"
    )
    scale_bar_um: float = Field(default=50, gt=0, description="scale bar (um)")
    most_movies: int = Field(
        default=12,
        ge=0,
        description="movies shown in full; further ones are rows of the table",
    )
    cards: CardParams = Field(
        default_factory=CardParams, description="evidence card per death"
    )
