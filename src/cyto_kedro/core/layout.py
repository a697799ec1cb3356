"""`globals.yml` as a typed object: roots, channels, roles and markers.

The layout decides the shape of the pipeline graph: one Kedro namespace per role, one
image per channel, contacts for every effector-target pair.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from cyto_kedro.core.params import Params
from cyto_kedro.core.roots import RemoteRoots

# Nodes that belong to no role are grouped under these names.
_NODE_GROUPS = (
    "experiment",
    "features",
    "ingest",
    "networks",
    "preprocessing",
    "reporting",
    "results",
)


class Channel(Params):
    """One raw image channel of every movie."""

    files: str = Field(
        description="file, glob or .zarr folder below <data_root>/<dataset>; "
        "<movie> stands for the movie id, <files> for the sheet's column 'files'"
    )
    index: int | None = Field(
        default=None, ge=0, description="channel to take from a multi-channel file"
    )
    axes: str | None = Field(
        default=None, description="axis order when the file does not say (e.g. TYX)"
    )
    scene: str | int | None = Field(
        default=None,
        description="image of a file that holds several (positions, wells): its name, "
        "its number from 0, or <scene> for the sheet's column 'scene'",
    )
    z: Literal["max"] | Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="plane of a Z stack, counted from 0, or max: maximum projection",
    )


class Role(Params):
    """One cell type and the channel(s) that it is segmented from."""

    kind: Literal["effector", "target", "other"] = Field(
        description="effectors kill, targets are killed, others are only analysed"
    )
    channels: tuple[str, ...] = Field(
        min_length=1, description="channel(s) to segment; several are merged"
    )
    masks: str | None = Field(
        default=None,
        description="ready masks to use in place of segmentation, below "
        "<data_root>/<dataset>",
    )


class Marker(Params):
    """A channel that is measured inside cells, without cells of its own."""

    channel: str = Field(description="channel measured")
    kind: Literal["death", "live", "other"] = Field(
        description="a death dye, a live dye, or anything else"
    )


class Layout(Params):
    """The content of ``globals.yml``."""

    data_root: Path = Field(description="storage class raw: read-only inputs")
    scratch_root: Path = Field(description="storage class scratch: heavy, purgeable")
    output_root: Path = Field(description="storage class output: compact results")
    remote: RemoteRoots = Field(
        default=RemoteRoots(), description="roots of outputs with a URI, by class"
    )
    dataset: str = Field(description="name of the dataset, a folder below data_root")
    sheet: Path = Field(description="experiment sheet: CSV with one row per movie")
    channels: dict[str, Channel] = Field(min_length=1, description="by channel name")
    roles: dict[str, Role] = Field(min_length=1, description="by role name")
    markers: dict[str, Marker] = Field(default_factory=dict, description="by marker")
    self_contacts: tuple[str, ...] = Field(
        default=(), description="roles whose contacts among themselves are measured"
    )
    pixel_size_um: float | None = Field(
        default=None, gt=0, description="pixel size (um) where the files do not say"
    )
    frame_interval_min: float | None = Field(
        default=None, gt=0, description="minutes per frame where the files do not say"
    )

    @field_validator("channels", "roles", "markers")
    @classmethod
    def _names_are_identifiers(cls, value: dict[str, object]) -> dict[str, object]:
        bad = [name for name in value if not name.isidentifier()]
        if bad:
            raise ValueError(f"names must be letters, digits and _: {', '.join(bad)}")
        return value

    @model_validator(mode="after")
    def _channels_exist(self) -> Self:
        used = {f"roles.{r}": role.channels for r, role in self.roles.items()}
        used |= {f"markers.{m}": (mk.channel,) for m, mk in self.markers.items()}
        for owner, channels in used.items():
            for channel in channels:
                if channel not in self.channels:
                    known = ", ".join(self.channels)
                    raise ValueError(
                        f"{owner} names channel '{channel}', which is not among the "
                        f"channels ({known})"
                    )
        return self

    @model_validator(mode="after")
    def _self_contacts_are_roles(self) -> Self:
        unknown = sorted(set(self.self_contacts) - set(self.roles))
        if unknown:
            raise ValueError(
                f"self_contacts names {', '.join(unknown)}, which is not among the "
                f"roles ({', '.join(self.roles)})"
            )
        if len(set(self.self_contacts)) < len(self.self_contacts):
            raise ValueError("self_contacts names a role twice")
        return self

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        both = (*self.pairs, *self.self_pairs)
        pairs = {f"{effector}_{target}" for effector, target in both}
        for role in self.roles:
            if role in _NODE_GROUPS or role in pairs:
                raise ValueError(f"a role cannot be called '{role}': the name is taken")
        for kind in ("death", "live"):
            named = [n for n, marker in self.markers.items() if marker.kind == kind]
            if len(named) > 1:
                raise ValueError(
                    f"only one marker of kind '{kind}' is used, found: "
                    f"{', '.join(named)}"
                )
        return self

    def is_raw(self, path: Path) -> bool:
        """Whether a path lies below the raw root, links followed: nothing writes there.

        Scratch and output roots may lie below the raw root, beside the datasets.
        """
        real = path.resolve()
        written = (self.scratch_root.resolve(), self.output_root.resolve())
        return real.is_relative_to(self.data_root.resolve()) and not any(
            real.is_relative_to(root) for root in written
        )

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """Role names of one kind, in the order of ``globals.yml``."""
        return tuple(name for name, role in self.roles.items() if role.kind == kind)

    @property
    def effectors(self) -> tuple[str, ...]:
        """Names of the effector roles."""
        return self.of_kind("effector")

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the target roles."""
        return self.of_kind("target")

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (effector, target) pair whose contacts are measured."""
        return tuple(product(self.effectors, self.targets))

    @property
    def self_pairs(self) -> tuple[tuple[str, str], ...]:
        """(role, role) for every role whose contacts with its own kind are measured."""
        return tuple((role, role) for role in self.self_contacts)

    def marker_channel(self, kind: str) -> str | None:
        """Channel of the first marker of one kind, or None."""
        for marker in self.markers.values():
            if marker.kind == kind:
                return marker.channel
        return None
