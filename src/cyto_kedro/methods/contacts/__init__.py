"""Which cells touch which, how closely, and for how long."""

from cyto_kedro.methods.contacts.episodes import contact_episodes
from cyto_kedro.methods.contacts.movie import measure_contacts
from cyto_kedro.methods.contacts.rules import (
    CONTACT_RULES,
    ContactLimits,
    EdgeRule,
    OverlapRule,
)

__all__ = [
    "CONTACT_RULES",
    "ContactLimits",
    "EdgeRule",
    "OverlapRule",
    "contact_episodes",
    "measure_contacts",
]
