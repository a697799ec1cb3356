"""Nodes of the features pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.features.capacity import delayed_viability, killing_capacity
from cyto_kedro.methods.features.channel_correlation import channel_correlation
from cyto_kedro.methods.features.gradients import gradient_table
from cyto_kedro.methods.features.operations import combine
from cyto_kedro.methods.features.selection import select
from cyto_kedro.pipelines.features.params import FeaturesParams


def select_tracks(
    options: FeaturesParams,
    *,
    role: str,
    roles: tuple[str, ...],
    **tables: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Which tracks of one role pass the filters, and what each filter leaves.

    Args:
        options: The filters.
        role: Role of the tracks.
        roles: All roles of the layout.
        tables: Tables of the role by name, among them ``tracks``.

    Returns:
        Tables SELECTION and SELECTION_STEPS.

    Raises:
        ConfigError: A filter names a role that does not exist.
    """
    named = {name for step in options.filters for name in step.roles}
    if named - set(roles):
        raise ConfigError(
            f"No role is called {', '.join(sorted(named - set(roles)))}",
            where="features.filters",
            fix=f"name roles of globals.yml: {', '.join(roles)}",
        )
    return select(tables, options.filters, role)


def combine_features(options: FeaturesParams, **tables: pd.DataFrame) -> pd.DataFrame:
    """New features from columns of the movie's tables.

    Args:
        options: The operations and gradients.
        tables: Tables by ``<role>.<table>``.

    Returns:
        Table FEATURES.
    """
    parts = [combine(tables, options.operations)]
    parts += [gradient_table(tables, wanted) for wanted in options.gradients]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def correlate_channels(
    calibration: Calibration, drift: pd.DataFrame, **stacks: Any
) -> pd.DataFrame:
    """How alike the channels are, over the image and inside the masks.

    Args:
        calibration: Gives the time of each frame.
        drift: Table DRIFT, for the part of each frame that has data.
        stacks: TYX images as ``image:<channel>``, masks as ``labels:<role>``.

    Returns:
        Table CHANNEL_CORRELATION.
    """
    images, labels = _each(stacks, "image"), _each(stacks, "labels")
    return channel_correlation(images, labels, drift, calibration.times_min)


def measure_capacity(
    deaths: pd.DataFrame,
    attribution: pd.DataFrame,
    calibration: Calibration,
    options: FeaturesParams,
    *tables: pd.DataFrame,
    effectors: tuple[str, ...],
    target: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deaths and kills per effector and hour, and viability after the first contact.

    Args:
        deaths: Table DEATHS of the targets.
        attribution: Table ATTRIBUTION of their deaths.
        calibration: Time base.
        options: Length of a bin, confidence.
        tables: TRACKS of each effector role, then DEATHS of each, then EPISODES of
            each with the targets.
        effectors: Effector roles in the order of ``tables``.
        target: Target role.

    Returns:
        Tables KILLING_CAPACITY and DELAYED_VIABILITY.
    """
    n = len(effectors)
    tracks, dying, episodes = (
        dict(zip(effectors, tables[k * n : (k + 1) * n], strict=True)) for k in range(3)
    )
    chosen = options.capacity
    capacity = killing_capacity(
        deaths, attribution, tracks, dying, calibration, target, chosen
    )
    return capacity, delayed_viability(deaths, episodes, target, chosen.confidence)


def _each(data: dict[str, Any], what: str) -> dict[str, Any]:
    start = f"{what}:"
    return {k[len(start) :]: v for k, v in data.items() if k.startswith(start)}
