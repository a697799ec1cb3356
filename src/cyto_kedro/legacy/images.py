"""Preprocessing and segmentation of pyCyto in terms of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.names import identifier, kind_of
from cyto_kedro.legacy.plan import Step
from cyto_kedro.legacy.state import Artefact, State

# Of a 16-bit image: skimage's gamma correction is relative to the largest value.
_FULL_SCALE = 65535.0
# Cellpose drops smaller masks (px); its own default.
_CELLPOSE_MIN_PX = 15
_OLD_CELLPOSE = {
    *("cyto", "cyto2", "cyto3", "nuclei", "livecell", "tissuenet", "general"),
    *("cp", "cpx", "tn1", "tn2", "tn3", "lc1", "lc2", "lc3", "lc4", "cyto2_cp3"),
}


def channel_merge(state: State, step: Step) -> None:
    """`ChannelMerge`: a role of several channels."""
    for number, group in enumerate(step.pairs(state.images())):
        name = step.outputs[number] if number < len(step.outputs) else "_".join(group)
        role = identifier(name)
        state.merged[role] = tuple(group)
        weights = state.arguments(step, f"preprocessing.merge.{role}").get("weights")
        state.merge_weights[role] = _weights(weights, group, step)
        if weights is None:
            state.unweighted[role] = f"{step.key} weights"
        state.done_by(step, role)
        if step.publish:
            state.needs("preprocessing")
            _publish_image(state, step, role)


def _weights(given: Any, group: tuple[str, ...], step: Step) -> dict[str, float]:
    if given is None:
        return {}
    if isinstance(given, dict):
        return {identifier(name): float(value) for name, value in given.items()}
    if len(given) != len(group):
        raise ConfigError(
            f"{len(given)} weights for {len(group)} channels", where=step.key
        )
    return {n: float(v) for n, v in zip(group, given, strict=True)}


def percentile_normalization(state: State, step: Step) -> None:
    """`PercentileNormalization`: a step of each channel."""
    _add_step(state, step, {"name": "percentile_normalise"}, {"over": "movie"})


def gamma_correction(state: State, step: Step) -> None:
    """`GammaCorrection`: a step of each channel."""
    _add_step(state, step, {"name": "gamma"}, {})


def _add_step(
    state: State, step: Step, head: dict[str, Any], tail: dict[str, Any]
) -> None:
    names = step.singles(state.images())
    values = head | state.arguments(step, "preprocessing.channels.*.steps") | tail
    for name in _sources(state, step, names):
        steps = state.get(f"preprocessing.channels.{name}.steps") or []
        chosen = dict(values)
        normalised = any(s["name"] == "percentile_normalise" for s in steps)
        if head["name"] == "gamma" and not normalised:
            chosen["scale"] = state.full_scale or _FULL_SCALE
            _tell_scale(state, step, name)
        state.put(f"preprocessing.channels.{name}.steps", [*steps, chosen])
        state.done_by(step, name)
    if step.publish:
        state.needs("preprocessing")
        for name in names:
            _publish_image(state, step, name)


def _sources(state: State, step: Step, names: list[str]) -> list[str]:
    """The channels themselves; for a merged one, those that it is made of."""
    sources: dict[str, None] = {}
    for name in names:
        if name in state.merged:
            state.report.add(
                f"{step.key} channels: {name}",
                "changed",
                ", ".join(f"preprocessing.channels.{n}" for n in state.merged[name]),
                "applied to the channels before they are merged",
            )
        sources |= dict.fromkeys(state.merged.get(name, (name,)))
    return list(sources)


def _tell_scale(state: State, step: Step, name: str) -> None:
    key, ours = f"{step.key} scale", f"preprocessing.channels.{name}.steps"
    if state.full_scale is None:
        note = "relative to the largest value of 16 bit, as the images are not there; "
        note += "write 255 for 8-bit files"
        state.report.add(key, "changed", ours, note)
    else:
        state.report.add(key, "mapped", ours, "relative to the largest value, as there")


def _publish_image(state: State, step: Step, name: str) -> None:
    """Note an image as it is now; later steps do not change what is written."""
    merged = name in state.merged
    done = tuple(
        (one, len(state.get(f"preprocessing.channels.{one}.steps") or []))
        for one in state.merged.get(name, (name,))
    )
    path = f"preprocessing/{step.module}/{state.shown(name)}.tif"
    role = name if merged else ""
    state.publish(Artefact(path, "image", role=role, steps=done))


def correlation(state: State, step: Step) -> None:
    """`CrossChannelCorrelation`: the table `channel_correlation`."""
    state.arguments(step, "channel_correlation")
    state.done_by(step)
    state.needs("features")
    if step.publish:
        path = f"preprocessing/{step.module}/channel_correlation.csv"
        state.publish(Artefact(path, "plain", ("channel_correlation",)))


def register_denoise(state: State, step: Step) -> None:
    """`register_denoise`: registration and denoising with ANTs."""
    given = state.arguments(step, "preprocessing.registration.method")
    state.put("preprocessing.registration.method", {"name": "ants"} | given)
    for name in step.singles(list(state.channels)):
        place = f"preprocessing.channels.{name}.steps"
        steps = state.get(place) or []
        denoise = {"name": "denoise", "method": {"name": "ants"}}
        state.put(place, [denoise, *steps])
        if steps:
            note = "denoised first: the other steps follow"
            state.report.add(f"{step.key} order", "changed", place, note)
            _one_step_more(state, name)
        state.done_by(step, name)
        if step.publish:
            _publish_image(state, step, name)
    state.needs("preprocessing")


def _one_step_more(state: State, channel: str) -> None:
    """What was noted of a channel's images, after a step was put before theirs."""
    for path, noted in state.artefacts.items():
        steps = tuple((one, n + (one == channel)) for one, n in noted.steps)
        state.artefacts[path] = replace(noted, steps=steps)


def cellpose(state: State, step: Step) -> None:
    """`CellPose`: the method cellpose of each role."""
    for name in _roles(state, step):
        place = f"segmentation.{name}.method"
        values = state.arguments(step, place)
        model = str(values.get("model", "cpsam"))
        if model.lower() in _OLD_CELLPOSE:
            values["model"] = state.options.cellpose_model
            state.report.add(
                f"{step.key} {step.word}.model_type",
                "changed",
                f"{place}.model",
                f"Cellpose 4 cannot load '{model}': {state.options.cellpose_model} "
                "finds nuclei and whole cells alike; look at the masks",
            )
        if "flow_threshold" not in values:
            state.report.add(
                f"{step.key} flow_threshold",
                "changed",
                f"{place}.flow_threshold",
                "pyCyto forced 0, which keeps masks of any shape; here Cellpose's 0.4",
            )
        _segment(state, step, name, {"name": "cellpose"} | values, _CELLPOSE_MIN_PX)


def stardist(state: State, step: Step) -> None:
    """`StarDist`: the method stardist of each role."""
    for name in _roles(state, step):
        place = f"segmentation.{name}.method"
        values = state.arguments(step, place)
        model = str(values.get("model", "2D_versatile_fluo"))
        if "/" not in model:
            values["model"] = f"{state.options.stardist_models}/{model}"
            state.report.add(
                f"{step.key} {step.word}.model_name",
                "changed",
                f"{place}.model",
                "a folder: nothing is downloaded by a run",
            )
        state.report.add(
            f"{step.key} scaling",
            "changed",
            f"{place}.percentiles",
            "pyCyto scales each frame from its least to its largest pixel, so that one "
            "hot pixel dims all cells; here the 1st to the 99.8th percentile",
        )
        _segment(state, step, name, {"name": "stardist"} | values, 0)


def _segment(
    state: State, step: Step, name: str, method: dict[str, Any], least_px: int
) -> None:
    if state.options.segmenter == "classical":
        diameter = method.get("diameter_um")
        state.report.add(
            step.key,
            "changed",
            f"segmentation.{name}.method",
            "--segmenter classical: found without learning"
            + ("" if diameter else "; no diameter is given, 12 um is assumed"),
        )
        method = {"name": "classical"} | ({"diameter_um": diameter} if diameter else {})
    state.put(f"segmentation.{name}.method", method)
    least = round(least_px * state.pixel_um**2, 4)
    state.put(f"segmentation.{name}.min_area_um2", least)
    _publish_masks(state, step, name)


def image_to_label(state: State, step: Step) -> None:
    """`ImageToLabel`: ready masks."""
    if step.channels == "all" and state.measured:
        # The file's other channels are images, which pyCyto calls masks and never uses.
        left = [one for one in state.channels if one not in state.measured]
        note = f"not {', '.join(left)}: no table is made of them as masks"
        if left:
            state.report.add(f"{step.key} channels", "changed", "roles", note)
        step = replace(step, channels=[*state.measured])
    for name in _roles(state, step):
        if name in state.merged:
            raise ConfigError(
                f"'{name}' is merged from images: it holds no masks", where=step.key
            )
        state.arguments(step, f"roles.{name}.masks")
        state.roles[name]["masks"] = state.channels[name]
        _publish_masks(state, step, name)


def _roles(state: State, step: Step) -> list[str]:
    """The channels of a segmentation step, which are roles from here on."""
    if "label" in step.input_type:
        raise ConfigError(
            f"{step.module} on masks is not supported",
            where=f"{step.key} input_type",
            fix="segment images; correct masks by hand, or with min_area_um2",
        )
    names = step.singles(state.images())
    for name in names:
        state.roles[name] = {"channels": list(state.merged.get(name, (name,)))}
        kind = step.kind or kind_of(name)
        if kind is not None:
            state.kinds[name] = kind
        state.tables.pop(name, None)
        state.done_by(step, name)
    state.needs("segmentation")
    return names


def _publish_masks(state: State, step: Step, name: str) -> None:
    if step.publish:
        path = f"segmentation/{step.module}/{state.shown(name)}.tif"
        state.publish(Artefact(path, "masks", (f"{name}.labels",), role=name))
