"""Parameters of death: signal, threshold, persistence, votes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from cyto_kedro.core.params import Params


class Smoothing(Params):
    """Smoothing of the death signal along each track."""

    name: Literal["median", "mean"] = Field(
        default="median",
        description="median drops flashes of one frame and keeps steps; mean does not",
    )
    window_frames: int = Field(
        default=3,
        ge=1,
        le=101,
        description="full window, odd (frames); 1 = no smoothing",
    )

    @field_validator("window_frames")
    @classmethod
    def _centred(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("window_frames must be odd: the window is centred")
        return value


class GivenThreshold(Params):
    """A threshold that the user states."""

    name: Literal["given"] = "given"
    value: float = Field(description="death signal of the dimmest dead cell")


class BaselineThreshold(Params):
    """Level of the living in the first frames plus k robust standard deviations."""

    name: Literal["baseline"] = "baseline"
    first_frames: int = Field(
        default=10,
        ge=1,
        description="frames in which most targets still live (frames)",
    )
    k: float = Field(
        default=6.0, gt=0, description="robust standard deviations above the living"
    )


class OtsuThreshold(Params):
    """Best split in two classes; wrong if hardly any or nearly all targets die."""

    name: Literal["otsu"] = "otsu"
    scale: Literal["linear", "log"] = Field(
        default="log", description="scale on which the two classes are compared"
    )


class RiseParams(Params):
    """The curve that is fitted to the death signal of each death."""

    name: Literal["sigmoid", "change_point"] = Field(
        default="sigmoid", description="a gradual rise, or a step"
    )
    window_min: float = Field(
        default=30.0, gt=0, description="points this far from the death count (min)"
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="coverage of the onset's interval"
    )


class LiveVoteParams(Params):
    """The second opinion: a dying cell loses its live signal."""

    window_min: float = Field(
        default=60.0,
        gt=0,
        description="signal before the death against half to whole so long after (min)",
    )
    max_ratio: float = Field(
        default=0.7, gt=0, lt=1, description="at most so much is left when it is lost"
    )
    required: bool = Field(
        default=False,
        description="true: no death where the live signal was seen to stay",
    )


class DeathParams(Params):
    """How the death of a cell is seen."""

    signal: Literal["background_subtracted", "cdi"] = Field(
        default="background_subtracted",
        description="death marker above background, or death / (live + death)",
    )
    statistic: Literal["mean", "median"] = Field(
        default="mean", description="of the marker's pixels inside the mask"
    )
    smoothing: Smoothing = Field(
        default_factory=Smoothing, description="along each track"
    )
    threshold: Annotated[
        BaselineThreshold | OtsuThreshold | GivenThreshold,
        Field(discriminator="name"),
    ] = Field(
        default_factory=BaselineThreshold,
        description="signal from which on a cell counts as dead",
    )
    persistence_frames: int = Field(
        default=3,
        ge=1,
        description="successive observations above the threshold (frames)",
    )
    irreversible: bool = Field(
        default=True,
        description="the first onset stands, even if the signal falls again",
    )
    border_margin_um: float = Field(
        default=10.0,
        ge=0,
        description="a track that ends this near to the edge left the field (um)",
    )
    alive_probability: Literal["logistic", "one_minus_cdi"] = Field(
        default="logistic",
        description="distance from the threshold in spreads of the living, or 1 - "
        "death / (live + death) as pyCyto",
    )
    rise: RiseParams = Field(default_factory=RiseParams, description="fit of the onset")
    live_vote: LiveVoteParams = Field(
        default_factory=LiveVoteParams, description="second vote from the live signal"
    )


def death_of_effectors() -> DeathParams:
    # An effector lies on the bright target that it killed. The median of its mask does
    # not see a part that overlaps; its own signal must fall as well.
    return DeathParams(
        statistic="median",
        persistence_frames=5,
        live_vote=LiveVoteParams(window_min=30.0, required=True),
    )


class ControlThresholdParams(Params):
    """The threshold that the control movies suggest, for comparison only."""

    k: float = Field(
        default=6.0,
        gt=0,
        description="robust standard deviations above the controls' median peak",
    )
