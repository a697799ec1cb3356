"""Parameters of the killing pipeline."""

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


class ChanceParams(Params):
    """Chance level of attribution by shifts in time and by shifts in space."""

    n_shifts: int = Field(
        default=1000, ge=1, description="random shifts of contacts in time"
    )
    n_moves: int = Field(
        default=200, ge=1, description="random shifts of all effectors in space"
    )
    n_refits: int = Field(
        default=99, ge=1, description="of these in time, for the hit model"
    )
    seed: int = Field(default=1, ge=0, description="seed of the random shifts")


class HazardParams(Params):
    """The hit model: what is known of the delay from hit to death beforehand."""

    delay_min: float = Field(
        default=15.0, gt=0, description="median guess of the mean delay (min)"
    )
    delay_log_sd: float = Field(
        default=0.7,
        ge=0,
        le=2,
        description="uncertainty of the guess (log scale); 0 = the delay is known",
    )


Factor = Annotated[float, Field(gt=0)]


class SensitivityParams(Params):
    """By what the settings are multiplied to see what hangs on them."""

    window_factors: tuple[Factor, ...] = Field(
        default=(0.5, 1.0, 1.5), description="of the attribution window"
    )
    distance_factors: tuple[Factor, ...] = Field(
        default=(1.0, 2.0, 3.0),
        description="of the contact distance, as far as contacts.reach_um goes",
    )
    threshold_factors: tuple[Factor, ...] = Field(
        default=(0.75, 1.0, 1.5), description="of the threshold of death"
    )
    n_shifts: int = Field(
        default=200, ge=1, description="random shifts for the chance level"
    )


class DensityParams(Params):
    """Random subsets of the effectors: credit must not hang on their density."""

    fractions: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(0.25, 0.5, 0.75, 1.0), description="of the effectors that are kept"
    )
    n_repeats: int = Field(default=10, ge=1, description="subsets of each size")
    seed: int = Field(default=1, ge=0, description="seed of the subsets")


class AttributionParams(Params):
    """Who may have killed a target."""

    window_min: float = Field(
        default=120.0, gt=0, description="contacts this long before death count (min)"
    )
    hit_min: float = Field(
        default=15.0, gt=0, description="contact time that counts as one hit (min)"
    )
    memory_min: float = Field(
        default=50.0, gt=0, description="time after which a hit weighs 1/e (min)"
    )
    max_hits: float = Field(
        default=3.0, gt=0, description="more hits than this give no more credit"
    )
    length_um: float = Field(
        default=10.0, gt=0, description="distance over which credit falls to 1/e (um)"
    )
    hazard: HazardParams = Field(
        default_factory=HazardParams, description="the hit model's prior"
    )
    serial_kills: int = Field(
        default=2, ge=1, description="kills of a serial killer, at least"
    )
    chance: ChanceParams = Field(
        default_factory=ChanceParams, description="chance level"
    )
    sensitivity: SensitivityParams = Field(
        default_factory=SensitivityParams, description="grid of other settings"
    )
    density: DensityParams = Field(
        default_factory=DensityParams, description="subsets of the effectors"
    )


def _effector_death() -> DeathParams:
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


Outcome = Literal[
    "survival",
    "rmst",
    "died_in_field",
    "specific_lysis",
    "kills_per_effector_hour",
    "kills_per_contact_hour",
    "killer_fraction",
    "serial_fraction",
    "gini",
]


class SurvivalParams(Params):
    """How survival is compared between movies."""

    group_by: str | None = Field(
        default="condition", description="column of the sheet that names the condition"
    )
    control_column: str | None = Field(
        default="control",
        description="column of the sheet that flags movies without effectors",
    )
    stratify_by: str | None = Field(
        default=None, description="column of the replicate, such as the donor"
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="coverage of intervals"
    )
    horizon_min: float | None = Field(
        default=None,
        gt=0,
        description="time of comparison (min); null = the last that all groups reach",
    )
    n_bootstrap: int = Field(default=1000, ge=1, description="bootstrap resamples")
    n_permutations: int = Field(
        default=9999, ge=1, description="permutations of whole movies"
    )
    seed: int = Field(default=1, ge=0, description="seed of both")
    well_column: str | None = Field(
        default="well",
        description="column of the sheet that names the well; without it each movie "
        "is one",
    )
    donor_column: str | None = Field(
        default="donor", description="column of the sheet that names the donor"
    )
    et_column: str | None = Field(
        default="et_ratio",
        description="column of the sheet with effectors per target, a number",
    )
    reference: str | None = Field(
        default=None,
        description="condition that the others are compared with; null = all pairs",
    )
    unit: Literal["auto", "well", "donor"] = Field(
        default="auto",
        description="unit of inference: wells within donors, or donors; auto takes "
        "donors if one gave a single well to a condition",
    )
    correct_over: Literal["all", "outcome"] = Field(
        default="all",
        description="correct p-values over all comparisons, or within each outcome",
    )
    outcomes: tuple[Outcome, ...] | None = Field(
        default=None,
        description="outcomes that are compared, and corrected for; null = all",
    )
    credit: Literal["nearest", "shared", "hazard"] = Field(
        default="hazard", description="rule of credit of the kills that are compared"
    )
    competing: tuple[Literal["left_field", "divided", "lost"], ...] = Field(
        default=("left_field",),
        description="ends of a track that compete with death; others are censored",
    )
    band: Literal["equal_precision", "hall_wellner"] = Field(
        default="equal_precision", description="simultaneous band of survival curves"
    )


class KillingParams(Params):
    """Content of ``parameters_killing.yml``."""

    death: DeathParams = Field(
        default_factory=DeathParams, description="death of a target"
    )
    effector_death: DeathParams = Field(
        default_factory=_effector_death, description="death of an effector"
    )
    control_threshold: ControlThresholdParams = Field(
        default_factory=ControlThresholdParams,
        description="what the control movies say about the threshold",
    )
    attribution: AttributionParams = Field(
        default_factory=AttributionParams, description="who killed it"
    )
    survival: SurvivalParams = Field(
        default_factory=SurvivalParams, description="comparison of movies"
    )
