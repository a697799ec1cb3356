"""Parameters of attribution: window, credit, chance, and how they are varied."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cyto_kedro.core.params import Params


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
