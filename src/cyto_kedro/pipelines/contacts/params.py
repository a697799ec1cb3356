"""Parameters of the contacts pipeline."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.contacts.rules import EdgeRule, OverlapRule


class ContactsParams(Params):
    """What a contact is and which contact frames make one episode."""

    rule: Annotated[EdgeRule | OverlapRule, Field(discriminator="name")] = Field(
        default=EdgeRule(), description="when two cells are in contact"
    )
    reach_um: float | None = Field(
        default=None,
        ge=0,
        description="pairs are listed up to this edge distance, which the sensitivity "
        "analysis needs (um); null = three contact distances",
    )
    max_gap_frames: int = Field(
        default=1,
        ge=0,
        description="a contact interrupted for at most so many frames is one episode",
    )
    min_frames: int = Field(
        default=1,
        ge=1,
        description="episodes with fewer frames in contact are dropped (frames)",
    )
