"""What a translation has found so far; the stages add to it in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.names import nearest
from cyto_kedro.legacy.plan import Step
from cyto_kedro.legacy.report import Report

#: What a file is made of: see ``cli.legacy_publish``.
Kind = Literal[
    "image",
    "masks",
    "table",
    "trackmate",
    "plain",
    "density",
    "network",
    "network_image",
    "contacts",
    "pairs",
    "pairs_image",
]


@dataclass(frozen=True)
class Facts:
    """What the image files say; nothing where they say nothing.

    Attributes:
        shape: T, Y, X of the first channel.
        pixel_size_um: Its pixel size (um).
        frame_interval_min: Its time between frames (min).
        full_scale: Largest value of its type; 1 for floating point.
        means: Mean grey value of channels that are merged, by name in the file.
    """

    shape: tuple[int, int, int] | None = None
    pixel_size_um: float | None = None
    frame_interval_min: float | None = None
    full_scale: float | None = None
    means: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """What the command line says beyond the file.

    Attributes:
        segmenter: ``classical`` in place of the learned methods; None: as written.
        cellpose_model: Weights that names of Cellpose 3 and older stand for.
        stardist_models: Folder of StarDist's model folders.
        contacts: ``edge``, or ``overlap`` as pyCyto counted; None: as the file says.
        markers: Channels whose names speak of death or life become markers, although
            the file does not ask for viability: killing is measured, too.
    """

    segmenter: Literal["classical"] | None = None
    cellpose_model: str = "cpsam_v2"
    stardist_models: str = "~/.keras/models/StarDist2D"
    contacts: Literal["edge", "overlap"] | None = None
    markers: bool = False


@dataclass(frozen=True)
class Table:
    """A table of pyCyto: the intensities of one channel in the masks of one role.

    Attributes:
        channel: The channel.
        role: The role.
        features: Columns made of two tables: pyCyto's name, name of our feature.
        conditions: What its rows have passed: our column, comparison, value.
    """

    channel: str
    role: str
    features: tuple[tuple[str, str], ...] = ()
    conditions: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True)
class Artefact:
    """A file that the user asked for.

    Attributes:
        path: Below ``output_dir``, as pyCyto names it.
        kind: What is written there.
        datasets: Where it comes from.
        channel: Second role of a pair.
        role: Role that it is about.
        table: What a table shows.
        steps: Of an image: how many steps of each channel it has been through.
        grid_px: Of a density: its grid (px).
    """

    path: str
    kind: Kind
    datasets: tuple[str, ...] = ()
    channel: str = ""
    role: str = ""
    table: Table | None = None
    steps: tuple[tuple[str, int], ...] = ()
    grid_px: int = 1


@dataclass
class State:
    """The growing translation. Names of channels and roles are identifiers already."""

    pixel_um: float
    options: Options
    report: Report
    channels: dict[str, str]
    merged: dict[str, tuple[str, ...]] = field(default_factory=dict)
    merge_weights: dict[str, dict[str, float]] = field(default_factory=dict)
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    pipelines: list[str] = field(default_factory=list)
    artefacts: dict[str, Artefact] = field(default_factory=dict)
    nodes: dict[str, list[str]] = field(default_factory=dict)
    full_scale: float | None = None
    measured: tuple[str, ...] = ()
    means: dict[str, float] = field(default_factory=dict)
    unweighted: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

    def shown(self, name: str) -> str:
        """A name as the file writes it."""
        return self.written.get(name, name)

    def put(self, path: str, value: Any) -> None:
        """Set one parameter by its dotted name."""
        *groups, last = path.split(".")
        at = self.parameters
        for group in groups:
            at = at.setdefault(group, {})
        at[last] = value

    def get(self, path: str) -> Any:
        """One parameter by its dotted name; None where it is not set."""
        at: Any = self.parameters
        for part in path.split("."):
            at = at.get(part) if isinstance(at, Mapping) else None
        return at

    def needs(self, pipeline: str) -> None:
        """Note that a pipeline has to run."""
        if pipeline not in self.pipelines:
            self.pipelines.append(pipeline)

    def publish(self, artefact: Artefact) -> None:
        """Note a file; a later one of the same name replaces it, as in pyCyto."""
        self.artefacts[artefact.path] = artefact

    def done_by(self, step: Step, *names: str) -> None:
        """Note which of our nodes do a step's work."""
        known = self.nodes.setdefault(step.task, [])
        for pattern in step.spec.nodes:
            for name in names or ("",):
                node = pattern.format(name=name)
                if node not in known:
                    known.append(node)

    def images(self) -> list[str]:
        """Channels, and what was merged from them."""
        return [*self.channels, *self.merged]

    def arguments(self, step: Step, place: str) -> dict[str, Any]:
        """A step's arguments as ours, each reported.

        Args:
            step: The step.
            place: Dotted name of our parameter group.

        Raises:
            ConfigError: An argument that the module does not have, or no value of the
                right form.
        """
        spec = step.spec
        if spec.note:
            self.report.add(step.key, "changed", place, spec.note)
        for name in step.args:
            if name not in spec.args:
                raise ConfigError(
                    f"{step.module} has no argument '{name}'",
                    where=step.key,
                    fix=f"{nearest(name, spec.args)}it has: {', '.join(spec.args)}",
                )
        found: dict[str, Any] = {}
        for name, arg in spec.args.items():
            key = f"{step.key} {step.word}.{name}"
            ours = arg.place.format(name=name_of(place)) if arg.place else place
            ours = f"{ours}.{arg.ours}"
            if name not in step.args:
                if arg.default is not None:
                    found[arg.ours] = arg.convert(arg.default, self.pixel_um)
                    note = f"not in the file: pyCyto's own {arg.default}"
                    self.report.add(key, "mapped", ours, note)
                continue
            value = step.args[name]
            if not arg.ours:
                self.report.add(key, arg.verdict, "", arg.note)
                continue
            try:
                found[arg.ours] = arg.convert(value, self.pixel_um)
            except (TypeError, ValueError) as exc:
                raise ConfigError(
                    f"{name}: {value!r} is not a value for it", where=step.key
                ) from exc
            self.report.add(key, arg.verdict, ours, arg.note)
        return found


def name_of(place: str) -> str:
    """The role in ``category.role.method``."""
    return place.split(".")[1] if place.count(".") else ""
