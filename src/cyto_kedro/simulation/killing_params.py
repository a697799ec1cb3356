"""How simulated T cells kill: one hit or several, and cells that differ."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cyto_kedro.core.params import Params


class EffectorClass(Params):
    """A part of the T cells that kills alike."""

    name: str = Field(min_length=1, description="name, as in the truth table effectors")
    share: float = Field(gt=0, le=1, description="part of all T cells")
    potency: float = Field(
        default=1.0,
        ge=0,
        description="factor of the chance (or rate) of a hit; 0 = never kills",
    )
    max_kills: int | None = Field(
        default=None, ge=1, description="kills after which it is exhausted; null = none"
    )


class _Lysis(Params):
    dwell_min: float = Field(
        default=18.0, gt=0, description="mean duration of an arrest (min)"
    )
    lytic_delay_min: float = Field(
        default=12.0, gt=0, description="mean time from the lethal hit to death (min)"
    )
    max_lytic_delay_min: float = Field(
        default=36.0, gt=0, description="longest time from hit to death (min)"
    )
    classes: tuple[EffectorClass, ...] = Field(
        default=(EffectorClass(name="killer", share=1.0),),
        min_length=1,
        description="kinds of T cells; their shares sum to 1",
    )

    @model_validator(mode="after")
    def _delays_fit(self) -> Self:
        if self.max_lytic_delay_min < self.lytic_delay_min:
            raise ValueError("max_lytic_delay_min is below the mean lytic_delay_min")
        return self

    @model_validator(mode="after")
    def _classes_are_a_whole(self) -> Self:
        names = [kind.name for kind in self.classes]
        if len(set(names)) < len(names):
            raise ValueError(f"classes: a name occurs twice in {', '.join(names)}")
        total = sum(kind.share for kind in self.classes)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"classes: the shares sum to {total:g}, not to 1")
        return self


class SingleHitParams(_Lysis):
    """One lethal hit per lethal contact; the target dies after a lytic delay."""

    name: Literal["single_hit"] = "single_hit"
    kill_probability: float = Field(
        default=0.3, ge=0, le=1, description="chance that an arrest ends in a hit"
    )


class LyticHitsParams(_Lysis):
    """Sublethal hits add up, of one T cell or several, and targets recover.

    Source: Weigelin et al. 2021, doi:10.1038/s41467-021-25282-3 (additive
    cytotoxicity).
    """

    name: Literal["lytic_hits"] = "lytic_hits"
    hits_per_hour: float = Field(
        default=5.0, ge=0, description="hits per hour of arrest (1/h)"
    )
    lethal_damage: float = Field(
        default=2.0, ge=1, description="damage that kills; each hit adds 1"
    )
    recovery_half_life_min: float = Field(
        default=60.0, gt=0, description="time in which damage halves (min)"
    )


def _named(value: Any) -> Any:
    """A model that is not named is the simple one."""
    if isinstance(value, dict) and "name" not in value:
        return {"name": "single_hit", **value}
    return value


KillingParams = Annotated[
    Annotated[SingleHitParams | LyticHitsParams, Field(discriminator="name")],
    BeforeValidator(_named),
]
