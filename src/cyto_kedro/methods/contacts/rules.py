"""What counts as a contact: distances and overlaps that open and close one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params

# Distances equal up to rounding count as equal (one pixel diagonal, exactly).
_ROUNDING = 1.0 + 1e-9
_LEAVE_FACTOR = 2.0
_REACH_FACTOR = 3.0


class EdgeRule(Params):
    """Contact by the least distance of two masks' pixel centres."""

    name: Literal["edge"] = "edge"
    contact_distance_um: float | None = Field(
        default=None,
        ge=0,
        description="edge distance that opens a contact (um); null = one pixel "
        "diagonal, so masks that touch at an edge or corner",
    )
    leave_distance_um: float | None = Field(
        default=None,
        ge=0,
        description="edge distance beyond which a contact ends (um), at least the "
        "contact distance; null = twice that",
    )

    @model_validator(mode="after")
    def _leaves_later_than_it_enters(self) -> Self:
        enter, leave = self.contact_distance_um, self.leave_distance_um
        if enter is not None and leave is not None and leave < enter:
            raise ValueError(
                "leave_distance_um must be at least contact_distance_um "
                f"({leave} < {enter})"
            )
        return self


class OverlapRule(Params):
    """Contact by shared pixels, as pyCyto defines it: touching masks do not count."""

    name: Literal["overlap"] = "overlap"
    min_overlap_px: int = Field(
        default=1, ge=1, description="shared pixels that make a contact (px)"
    )


@dataclass(frozen=True)
class ContactLimits:
    """A rule in numbers.

    Attributes:
        contact_um: Edge distance up to which cells are in contact (um).
        leave_um: Edge distance up to which a contact lasts (um).
        min_overlap_px: Shared pixels needed as well.
        beyond_um: Pairs are listed up to here if it is beyond the leave distance (um).
    """

    contact_um: float
    leave_um: float
    min_overlap_px: int = 0
    beyond_um: float = 0.0

    @property
    def reach_um(self) -> float:
        """Edge distance up to which pairs are listed (um)."""
        return max(self.leave_um, self.beyond_um)


def limits_of(
    rule: EdgeRule | OverlapRule,
    spacing_um: tuple[float, float],
    reach_um: float | None = None,
) -> ContactLimits:
    """A rule in numbers.

    Args:
        rule: When cells are in contact.
        spacing_um: (row, column) pixel size (um).
        reach_um: Pairs are listed up to this distance, at least to the leave
            distance; None = three contact distances.
    """
    limits = CONTACT_RULES[rule.name](rule, spacing_um)
    if reach_um is None:
        beyond = _REACH_FACTOR * limits.contact_um
    else:
        beyond = reach_um * _ROUNDING
    return replace(limits, beyond_um=beyond)


def _edge_limits(rule: EdgeRule, spacing_um: tuple[float, float]) -> ContactLimits:
    contact = rule.contact_distance_um
    if contact is None:
        contact = float(np.hypot(*spacing_um))
    leave = rule.leave_distance_um
    if leave is None:
        leave = _LEAVE_FACTOR * contact
    if leave < contact:
        raise ConfigError(
            f"A contact would end at {leave:.3g} um, before it begins at "
            f"{contact:.3g} um (one pixel diagonal)",
            where="contacts.rule.leave_distance_um",
            fix="give a larger leave distance, or null",
        )
    return ContactLimits(contact * _ROUNDING, leave * _ROUNDING)


def _overlap_limits(
    rule: OverlapRule, spacing_um: tuple[float, float]
) -> ContactLimits:
    return ContactLimits(0.0, 0.0, rule.min_overlap_px)


#: Rule name -> function of (options, (row, column) spacing in um).
CONTACT_RULES: dict[str, Callable[[Any, tuple[float, float]], ContactLimits]] = {
    "edge": _edge_limits,
    "overlap": _overlap_limits,
}
