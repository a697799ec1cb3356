"""Which points and tracks are kept: a list of steps, and what each one leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import SELECTION, SELECTION_STEPS
from cyto_kedro.methods.features.gaps import fill_gaps

Tables = Mapping[str, pd.DataFrame]
_POINT = ["track_id", "frame"]
_OWN = (*_POINT, "time_min")


class _Step(Params):
    roles: tuple[str, ...] = Field(
        default=(), description="roles that the step is for; none named = all"
    )


class _Bounds(_Step):
    table: str = Field(
        default="tracks", description="table of the role that has the column"
    )
    column: str = Field(description="column that is compared")
    min: float | None = Field(default=None, description="least value that is kept")
    max: float | None = Field(default=None, description="largest value that is kept")
    keep_unknown: bool = Field(
        default=False, description="keep where the value is not known"
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError(f"{self.column}: give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"{self.column}: min {self.min} is above max {self.max}")
        return self

    def keeps(self, values: pd.Series) -> pd.Series:
        """Whether each value lies within the bounds, both included."""
        known = values.astype("Float64")
        inside = known.ge(self.min if self.min is not None else float("-inf"))
        inside &= known.le(self.max if self.max is not None else float("inf"))
        return inside.fillna(self.keep_unknown).astype(bool)

    def wording(self) -> str:
        """The condition in words."""
        parts = [f"at least {self.min:g}" if self.min is not None else ""]
        parts += [f"at most {self.max:g}" if self.max is not None else ""]
        return f"{self.column} {' and '.join(filter(None, parts))}"


class KeepPoints(_Bounds):
    """Points with a value within bounds; a track without points is gone."""

    name: Literal["points"] = "points"


class KeepTracks(_Bounds):
    """Whole tracks with a value within bounds."""

    name: Literal["tracks"] = "tracks"
    statistic: Literal["mean", "median", "min", "max", "first", "last", "count"] = (
        Field(
            default="mean",
            description="of the track's points that are left; a table with one row "
            "per track has one value, whichever is chosen; count: known values",
        )
    )

    def wording(self) -> str:
        """The condition in words."""
        return f"{self.statistic} of {super().wording()}"


class FillGaps(_Step):
    """Skipped frames of a track become points, interpolated linearly in time."""

    name: Literal["fill_gaps"] = "fill_gaps"
    max_gap_frames: int | None = Field(
        default=None, ge=1, description="longest gap to fill (frames); null = all"
    )

    def wording(self) -> str:
        """The step in words."""
        most = (
            "" if self.max_gap_frames is None else f" of {self.max_gap_frames} frames"
        )
        return f"gaps{most} filled by interpolation"


Step = Annotated[KeepPoints | KeepTracks | FillGaps, Field(discriminator="name")]


def select(
    tables: Tables, steps: Sequence[Step], role: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply the steps one after another; each sees what the ones before have left.

    Args:
        tables: Tables of one role by name. ``tracks`` has the points; a table with
            track_id and frame is joined by point, one with track_id only by track.
        steps: Filters and gap filling in order; those of other roles are left out.
        role: Role, for the tables and for messages.

    Returns:
        Table SELECTION, one row per track, and SELECTION_STEPS, one row per step after
        a row for all that there was.

    Raises:
        ConfigError: A step names a table or a column that the role does not have.
    """
    own = [(n, s) for n, s in enumerate(steps, 1) if not s.roles or role in s.roles]
    points = _points(tables, [step for _, step in own], role)
    count = points.groupby("track_id").size()
    ids = count.index
    failed = pd.Series(pd.NA, index=ids, dtype="Int64")
    record = [_state(role, 0, "all", points)]
    for number, step in own:
        points = STEPS[step.name](points, step)
        left = ids.isin(points["track_id"])
        failed[~left & failed.isna().to_numpy()] = number
        record.append(_state(role, number, step.wording(), points))
    real = points[~points["interpolated"]]
    kept = real.groupby("track_id").size().reindex(ids, fill_value=0)
    table = pd.DataFrame(
        {
            "role": role,
            "track_id": ids,
            "n_points": count.to_numpy(),
            "n_kept": kept.to_numpy(),
            "selected": failed.isna().to_numpy(),
            "failed_step": failed.to_numpy(),
        }
    )
    return SELECTION.conform(table), SELECTION_STEPS.conform(pd.DataFrame(record))


def _key(step: _Bounds) -> str:
    return f"{step.table}.{step.column}"


def _points(tables: Tables, steps: Sequence[Step], role: str) -> pd.DataFrame:
    """The role's points with a column ``table.column`` for each that a step reads."""
    points = tables["tracks"][list(_OWN)].copy()
    points["interpolated"] = False
    for step in steps:
        if isinstance(step, FillGaps) or _key(step) in points:
            continue
        source = _source(tables, step, role)
        keys = _POINT if "frame" in source else ["track_id"]
        value = source[list(dict.fromkeys([*keys, step.column]))]
        value = value.assign(**{_key(step): value[step.column].astype("Float64")})
        columns = [*keys, _key(step)]
        points = points.merge(value[columns], on=keys, how="left", validate="m:1")
    return points


def _source(tables: Tables, step: _Bounds, role: str) -> pd.DataFrame:
    if step.table not in tables:
        raise ConfigError(
            f"'{role}' has no table '{step.table}'",
            where="features.filters",
            fix=f"name one of: {', '.join(tables)}",
        )
    source = tables[step.table]
    if step.column not in source:
        raise ConfigError(
            f"Table '{step.table}' of '{role}' has no column '{step.column}'",
            where="features.filters",
            fix=f"its columns are: {', '.join(map(str, source.columns))}",
        )
    if not pd.api.types.is_numeric_dtype(source[step.column]):
        raise ConfigError(
            f"Column '{step.column}' of table '{step.table}' holds no numbers",
            where="features.filters",
            fix="filter by a number, or by a yes/no column as 0 or 1",
        )
    return source


def _keep_points(points: pd.DataFrame, step: KeepPoints) -> pd.DataFrame:
    return points[step.keeps(points[_key(step)])]


def _keep_tracks(points: pd.DataFrame, step: KeepTracks) -> pd.DataFrame:
    ordered = points.sort_values(_POINT)
    by_track = ordered.groupby("track_id")[_key(step)]
    if step.statistic in ("first", "last"):
        # pandas' own first() and last() skip what is unknown.
        value = by_track.nth(0 if step.statistic == "first" else -1)
        value.index = ordered.loc[value.index, "track_id"].to_numpy()
    else:
        value = by_track.agg(step.statistic)
    kept = step.keeps(pd.Series(value))
    return points[points["track_id"].isin(kept.index[kept])]


def _fill(points: pd.DataFrame, step: FillGaps) -> pd.DataFrame:
    columns = [str(n) for n in points.columns if n not in (*_OWN, "interpolated")]
    plain = points.astype(dict.fromkeys(columns, "float64"))
    filled = fill_gaps(plain, columns, step.max_gap_frames)
    # What an earlier step filled stays filled.
    old = points.loc[points["interpolated"], _POINT]
    again = pd.MultiIndex.from_frame(filled[_POINT]).isin(pd.MultiIndex.from_frame(old))
    return filled.assign(interpolated=filled["interpolated"] | again)


STEPS: dict[str, Callable[[pd.DataFrame, Any], pd.DataFrame]] = {
    "points": _keep_points,
    "tracks": _keep_tracks,
    "fill_gaps": _fill,
}


def _state(role: str, step: int, what: str, points: pd.DataFrame) -> dict[str, object]:
    return {
        "role": role,
        "step": step,
        "what": what,
        "n_points": len(points),
        "n_interpolated": int(points["interpolated"].sum()),
        "n_tracks": points["track_id"].nunique(),
    }
