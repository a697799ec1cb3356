"""Which cells touch which, how closely, and for how long."""

from cyto_kedro.methods.contacts.episodes import contact_episodes
from cyto_kedro.methods.contacts.movie import measure_contacts
from cyto_kedro.methods.contacts.nearest import nearest_targets
from cyto_kedro.methods.contacts.rates import contact_rates
from cyto_kedro.methods.contacts.rules import (
    CONTACT_RULES,
    ContactLimits,
    EdgeRule,
    OverlapRule,
    limits_of,
)

__all__ = [
    "CONTACT_RULES",
    "ContactLimits",
    "EdgeRule",
    "OverlapRule",
    "contact_episodes",
    "contact_rates",
    "limits_of",
    "measure_contacts",
    "nearest_targets",
]
