"""The methods paragraph of the report, with the parameters that count, and sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Reference = tuple[str, str]

_LAP = (
    "Jaqaman et al., Robust single-particle tracking in live-cell time-lapse "
    "sequences, Nat Methods 5, 695 (2008)",
    "10.1038/nmeth.1237",
)
_KAPLAN = (
    "Kaplan & Meier, Nonparametric estimation from incomplete observations, J Am Stat "
    "Assoc 53, 457 (1958)",
    "10.1080/01621459.1958.10501452",
)
_LOG_RANK = (
    "Mantel, Evaluation of survival data and two new rank order statistics, Cancer "
    "Chemother Rep 50, 163 (1966)",
    "",
)
_COMPETING = (
    "Aalen & Johansen, An empirical transition matrix for non-homogeneous Markov "
    "chains, Scand J Stat 5, 141 (1978)",
    "",
)
_EM = (
    "Dempster, Laird & Rubin, Maximum likelihood from incomplete data via the EM "
    "algorithm, J R Stat Soc B 39, 1 (1977)",
    "10.1111/j.2517-6161.1977.tb01600.x",
)
_MSD = (
    "Beltman, Maree & de Boer, Analysing immune cell migration, Nat Rev Immunol 9, 789 "
    "(2009)",
    "10.1038/nri2638",
)
_SUPERPLOT = (
    "Lord et al., SuperPlots: communicating reproducibility and variability in cell "
    "biology, J Cell Biol 219, e202001064 (2020)",
    "10.1083/jcb.202001064",
)
_BY_METHOD: dict[str, Reference] = {
    "cellpose": (
        "Pachitariu, Rariden & Stringer, Cellpose-SAM: superhuman generalization for "
        "cellular segmentation, bioRxiv (2025)",
        "10.1101/2025.04.28.651001",
    ),
    "stardist": (
        "Schmidt et al., Cell detection with star-convex polygons, MICCAI (2018)",
        "10.1007/978-3-030-00934-2_30",
    ),
}


def methods_text(run: dict[str, Any]) -> list[str]:
    """Paragraphs for a manuscript: what was done, with the parameters that count.

    Args:
        run: Content of ``run_metadata.json``.
    """
    version = run["packages"].get("cyto-kedro", "")
    used = run["parameters"]
    texts = [
        f"Movies were analysed with cyto_kedro {version} (Kedro "
        f"{run['packages'].get('kedro', '')}, Python "
        f"{run['packages'].get('python', '')}). Stage drift was corrected. "
        + _segmented(used.get("segmentation", {}))
        + " Cells were measured in each frame and linked over time ("
        + ", ".join(sorted(set(_names(used.get("tracking", {})))))
        + "; linear assignment with gap closing and splitting [1]). "
        + _contacts(used.get("contacts", {}))
    ]
    if "killing" in used:
        texts += [_deaths(used["killing"]), _kills(used["killing"])]
        texts.append(_statistics(used["killing"]))
    return texts


def references(run: dict[str, Any]) -> list[Reference]:
    """(text, DOI) in the order of their numbers; the DOI may be empty."""
    used = run["parameters"]
    found = [_LAP]
    if "killing" in used:
        found += [_EM, _KAPLAN, _LOG_RANK, _COMPETING]
    found += [_MSD, _SUPERPLOT]
    names = set(_names(used.get("segmentation", {})))
    return found + [_BY_METHOD[name] for name in sorted(names & set(_BY_METHOD))]


def _segmented(section: dict[str, Any]) -> str:
    parts = []
    for role, options in section.items():
        method = options.get("method") if isinstance(options, dict) else None
        if isinstance(method, dict) and "name" in method:
            size = method.get("diameter_um")
            about = f", diameter {size:g} um" if isinstance(size, int | float) else ""
            parts.append(f"{role} by {method['name']}{about}")
    return f"Cells were segmented in each frame ({'; '.join(parts)})."


def _contacts(section: dict[str, Any]) -> str:
    text = (
        "Contact is judged by the least distance between the pixels of two masks, with "
        "hysteresis and merged gaps"
    )
    told = _plain(section)
    return f"{text} ({told})." if told else f"{text}."


def _deaths(killing: dict[str, Any]) -> str:
    death = killing["death"]
    threshold = death["threshold"]
    return (
        "A target died when its background-subtracted death signal "
        f"({death['statistic']} over the mask) reached the threshold (rule: "
        f"{_plain(threshold)}) for {death['persistence_frames']} frames in a row; "
        "losing a track is never death. The onset was fitted by a "
        f"{death['rise']['name'].replace('_', ' ')} with its "
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
        "by expectation maximisation [2]; a constant background takes deaths without a "
        "culprit. The level of chance comes from "
        f"{chosen['chance']['n_shifts']} random shifts of the contacts in time and "
        f"{chosen['chance']['n_moves']} random moves of the effectors (seed "
        f"{chosen['chance']['seed']}). A serial killer has at least "
        f"{chosen['serial_kills']:g} kills."
    )


def _statistics(killing: dict[str, Any]) -> str:
    chosen = killing["survival"]
    strata = chosen.get("stratify_by")
    return (
        "Survival is the Kaplan-Meier estimate [3] with delayed entry, Greenwood "
        f"variance and log-log {chosen['confidence']:.0%} bands; groups "
        f"({chosen['group_by']}) were compared by the log-rank test [4]"
        + (f" stratified by {strata}" if strata else "")
        + f" and by {chosen['n_permutations']} permutations of whole movies. Leaving "
        "the field competes with death (Aalen-Johansen [5]). The unit of inference is "
        "the movie, well or donor, not the cell."
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


def _names(section: Any) -> Iterator[str]:
    """Names of the methods in a section of the parameters."""
    if not isinstance(section, dict):
        return
    method = section.get("method")
    if isinstance(method, dict) and "name" in method:
        yield str(method["name"])
    for value in section.values():
        yield from _names(value)
