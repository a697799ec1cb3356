"""Parameters of the kinematics pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.kinematics.contact_motion import ContactMotionOptions
from cyto_kedro.methods.kinematics.msd import MsdOptions
from cyto_kedro.methods.kinematics.persistence import PersistenceOptions


class KinematicsParams(Params):
    """How the motion of cells is measured."""

    arrest_speed_um_per_min: float = Field(
        default=2.0, ge=0, description="slower steps count as arrested (um/min)"
    )
    msd: MsdOptions = Field(
        default_factory=MsdOptions, description="mean squared displacement"
    )
    persistence: PersistenceOptions = Field(
        default_factory=PersistenceOptions, description="memory of direction"
    )
    contact: ContactMotionOptions = Field(
        default_factory=ContactMotionOptions, description="motion around contacts"
    )
