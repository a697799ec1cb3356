"""The methods paragraph of the report, with the parameters that count, and sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cyto_kedro.pipelines.reporting.sources import SOURCES, Reference
from cyto_kedro.pipelines.reporting.wording import plural

_CITED = re.compile(r"\[@(\w+)\]")
_THRESHOLDS = {
    "baseline": "{k:g} spreads above the median of the living cells in the first "
    "{first_frames} frames",
    "given": "given as {value:g}",
    "otsu": "Otsu's",
}


def methods_text(run: dict[str, Any]) -> list[str]:
    """Paragraphs for a manuscript: what was done, with the parameters that count.

    Args:
        run: Content of ``run_metadata.json``.
    """
    texts = _paragraphs(run)
    number = {key: str(i + 1) for i, key in enumerate(_cited(texts))}
    return [_CITED.sub(lambda m: f"[{number[m[1]]}]", text) for text in texts]


def references(run: dict[str, Any]) -> list[Reference]:
    """(text, DOI) in the order of their numbers; the DOI may be empty."""
    return [SOURCES[key] for key in _cited(_paragraphs(run))]


def _cited(texts: list[str]) -> list[str]:
    """The sources in the order in which they are cited first."""
    return list(dict.fromkeys(key for text in texts for key in _CITED.findall(text)))


def _paragraphs(run: dict[str, Any]) -> list[str]:
    version = run["packages"].get("cyto-kedro", "")
    used = run["parameters"]
    texts = [
        f"Movies were analysed with cyto_kedro {version} (Kedro "
        f"{run['packages'].get('kedro', '')}, Python "
        f"{run['packages'].get('python', '')}). "
        + _registered(used.get("preprocessing", {}))
        + _segmented(used.get("segmentation", {}))
        + _tracked(used.get("tracking", {}))
        + "Speed, straightness, arrest and turning angles are those of [@motion]; "
        "steps over a gap have no speed. " + _contacts(used.get("contacts", {}))
    ]
    if "killing" in used:
        killing = used["killing"]
        texts += [_deaths(killing), _kills(killing), _statistics(killing)]
        texts.append(_compared(killing))
    return texts


def _registered(section: dict[str, Any]) -> str:
    method = section.get("registration", {}).get("method", {})
    name = str(method.get("name", "none"))
    if name == "none":
        return ""
    return f"Stage drift was corrected ({name.replace('_', ' ')}). "


def _segmented(section: dict[str, Any]) -> str:
    parts = []
    for role, name in _methods(section):
        size = section[role]["method"].get("diameter_um")
        about = f", diameter {size:g} µm" if isinstance(size, int | float) else ""
        source = f" [@{name}]" if name in SOURCES else ""
        parts.append(f"{role} by {name}{source}{about}")
    return f"Cells were segmented in each frame ({'; '.join(parts)}). "


def _tracked(section: dict[str, Any]) -> str:
    """How cells were linked, roles of one method together."""
    by_method: dict[str, list[str]] = {}
    for role, name in _methods(section):
        by_method.setdefault(name, []).append(role)
    lap = "linear assignment with gap closing [@lap]"
    parts = [
        f"{' and '.join(roles)} by {lap if name == 'lap' else name}"
        for name, roles in by_method.items()
    ]
    return f"They were linked over time ({'; '.join(parts)}). " if parts else ""


def _methods(section: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Role and name of the method of each role."""
    for role, options in section.items():
        method = options.get("method") if isinstance(options, dict) else None
        if isinstance(method, dict) and "name" in method:
            yield role, str(method["name"])


def _contacts(section: dict[str, Any]) -> str:
    rule = section.get("rule", {})
    if not rule:
        return ""
    if rule.get("name") == "overlap":
        text = "An effector and a target are in contact while their masks share pixels"
    else:
        gap, leave = rule.get("contact_distance_um"), rule.get("leave_distance_um")
        begins = "at most a pixel diagonal" if gap is None else f"at most {gap:g} µm"
        ends = "twice that" if leave is None else f"{leave:g} µm"
        text = (
            f"A contact begins when the gap between two masks is {begins} and ends "
            f"when it exceeds {ends}"
        )
    bridged = plural(section.get("max_gap_frames", 0), "frame")
    least = plural(section.get("min_frames", 1), "frame")
    return f"{text}; interruptions of at most {bridged} are bridged, {least} suffice."


def _deaths(killing: dict[str, Any]) -> str:
    death = killing["death"]
    threshold = death["threshold"]
    pattern = _THRESHOLDS.get(str(threshold.get("name")))
    level = pattern.format(**threshold) if pattern else _plain(threshold)
    return (
        "A target died when its background-subtracted death signal "
        f"({death['statistic']} over the mask) reached the threshold ({level}) for "
        f"{death['persistence_frames']} frames in a row; losing a track is never "
        "death. Targets that were dead when first seen were never at risk. The onset "
        f"was fitted by a {death['rise']['name'].replace('_', ' ')} with its "
        f"{death['rise']['confidence']:.0%} interval, and the live channel gave a "
        "second vote."
    )


def _kills(killing: dict[str, Any]) -> str:
    chosen = killing["attribution"]
    return (
        "A death was credited to effectors in contact within "
        f"{chosen['window_min']:g} min before it, by four rules side by side: nearest, "
        "exclusive, shared by contact dose, and the posterior of a hit model in which "
        "contact gives lethal hits that kill after a gamma-distributed delay, fitted "
        "by expectation maximisation [@em]; a constant background takes deaths without "
        "a culprit. The level of chance comes from "
        f"{chosen['chance']['n_shifts']} random shifts of the contacts in time and "
        f"{chosen['chance']['n_moves']} random moves of the effectors (seed "
        f"{chosen['chance']['seed']}). A serial killer has at least "
        f"{chosen['serial_kills']:g} kills."
    )


def _statistics(killing: dict[str, Any]) -> str:
    chosen = killing["survival"]
    strata = chosen.get("stratify_by")
    band = str(chosen.get("band", "equal_precision"))
    return (
        "Survival is the Kaplan-Meier estimate [@kaplan] with delayed entry, Greenwood "
        f"variance, log-log {chosen['confidence']:.0%} intervals and a simultaneous "
        f"band ({band.replace('_', ' ')} [@{band}]); where a group has two wells or "
        f"more, a third band comes from them. Groups ({chosen['group_by']}) were "
        "compared by the log-rank test [@log_rank]"
        + (f" stratified by {strata}" if strata else "")
        + f" and by {chosen['n_permutations']} permutations of whole movies. "
        f"{_competing(chosen.get('competing', []))}Specific lysis is 100 (1 - S / S0), "
        "S and S0 being survival with and without effectors."
    )


def _competing(reasons: list[str]) -> str:
    if not reasons:
        return ""
    names = " and ".join(reason.replace("_", " ") for reason in reasons)
    return f"Death competes with '{names}' (Aalen-Johansen [@competing]). "


def _compared(killing: dict[str, Any]) -> str:
    chosen = killing["survival"]
    over = {"all": "over all comparisons"}.get(str(chosen.get("correct_over")), "")
    return (
        "The unit of inference is the well or donor, not the cell. Differences between "
        f"groups carry {chosen['confidence']:.0%} intervals from resampled units, "
        "Cliff's delta [@delta] and p-values from permuted units, corrected by Holm's "
        f"method [@holm] {over or 'outcome by outcome'}. Superplots follow "
        "[@superplot]."
    )


def _plain(section: dict[str, Any]) -> str:
    """The numbers and names of a small section, one level deep."""
    items = []
    for key, value in section.items():
        if isinstance(value, dict):
            inner = _plain(value)
            items.append(inner if key == "rule" else f"{key}: {inner}")
        elif value is not None and not isinstance(value, list):
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            items.append(shown if key == "name" else f"{key} {shown}")
    return ", ".join(items)
