"""Where contacts, deaths, killers, survival and lysis stop being found.

Simulated movies with known truth over a grid of T cells per target, light (a share of
the photons of everything, so that noise grows) and minutes between frames (frames of
the same movie left out), through the shipped nodes from raw images to kill credits,
tracking included. Each seed has an effector-free movie for lysis.

    python benchmarks/killing_limits.py --rows rows.jsonl          # half an hour
    python benchmarks/killing_limits.py --rows rows.jsonl --write  # into docs, and draw

What ``--rows`` already holds is not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import _blocks  # noqa: E402
from _blocks import Block, share  # noqa: E402

DENSITIES, LIGHT, STEPS = (10, 26, 78), (1.0, 0.1, 0.03), (1, 2, 5)
#: None of them was used to choose a method or a parameter.
SEEDS = (51, 52, 53)
CONTROL = 1000  # added to the seed of the effector-free movie
HORIZON_MIN = 110.0
PAGE = "docs/methods/killing_limits.md"
FIGURE = "docs/images/killing_limits.svg"
BLOCKS = {"killing_limits_events": PAGE, "killing_limits_numbers": PAGE}
KEYS = ["n_effectors", "light", "minutes"]
DIMMED = ("effector_photons", "target_photons", "dye_photons", "background_photons")
Row = dict[str, Any]


# -- measuring ------------------------------------------------------------------------


def one_movie(seed: int, n_effectors: int, light: float) -> list[Row]:
    """The scores of one movie at each frame interval; its own process."""
    from _chain import Chain, signal_to_noise
    from cyto_kedro.core.parallel import set_workers
    from cyto_kedro.simulation import SimulationParams, simulate
    from cyto_kedro.simulation.params import OpticsParams

    set_workers(1)
    usual = OpticsParams()
    dimmer = {name: light * getattr(usual, name) for name in DIMMED}
    movie = simulate(
        SimulationParams(
            seed=seed if n_effectors else seed + CONTROL,
            n_effectors=n_effectors,
            optics=usual.model_copy(update=dimmer),
        )
    )
    about = {"seed": seed, "n_effectors": n_effectors, "light": light}
    about["signal_to_noise"] = signal_to_noise(movie) if n_effectors else None
    with warnings.catch_warnings():
        # Frames too dim to be registered are part of what is measured.
        warnings.simplefilter("ignore")
        chain = Chain(movie)
        return [about | chain.scores(step, HORIZON_MIN) for step in STEPS]


def measure(path: Path, seeds: tuple[int, ...] = SEEDS, workers: int = 2) -> list[Row]:
    """All rows; each movie's are appended to the file when they are known."""
    known = _read(path)
    done = {(row["seed"], row["n_effectors"], row["light"]) for row in known}
    grid = [(s, n, x) for s in seeds for n in (0, *DENSITIES) for x in LIGHT]
    todo = [job for job in grid if job not in done]
    # Threads of libraries do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(one_movie, *job): job for job in todo}
        for number, finished in enumerate(as_completed(running), 1):
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in finished.result())
            print(f"{number}/{len(todo)}: {running[finished]}", flush=True)
    return [row for row in _read(path) if row["seed"] in seeds]


def _read(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# -- summing up -----------------------------------------------------------------------


def summarised(rows: list[Row]) -> pd.DataFrame:
    """One line per point of the grid."""
    table = pd.DataFrame(rows)
    control = table[table["n_effectors"] == 0].set_index(["seed", "light", "minutes"])
    killing = table[table["n_effectors"] > 0].copy()
    own = control.loc[
        list(killing[["seed", "light", "minutes"]].itertuples(index=False))
    ]
    for kind in ("", "_true"):
        alone = own[f"survival{kind}"].to_numpy()
        killing[f"lysis{kind}"] = 100 * (1 - killing[f"survival{kind}"] / alone)
    parts = [
        dict(zip(KEYS, key, strict=True)) | _point(part)
        for key, part in killing.groupby(KEYS, sort=True)
    ]
    return pd.DataFrame(parts)


def _point(rows: pd.DataFrame) -> Row:
    """Counts are pooled over the movies; biases are means of paired differences."""
    n = rows.select_dtypes("number").sum()

    def part(name: str, whole: str) -> float:
        return float(n[name] / n[whole]) if n[whole] else float("nan")

    late = np.concatenate([np.asarray(x, dtype=float) for x in rows["late_frame"]])
    fitted = np.concatenate([np.asarray(x, dtype=float) for x in rows["late_fitted"]])
    true_rate = n["kills"] / n["hours_true"]
    found = {
        "signal_to_noise": rows["signal_to_noise"].mean(),
        "movies": len(rows),
        "true deaths": int(n["deaths_true"]),
        "true kills": int(n["kills"]),
        "link precision": part("links_right", "links_found"),
        "contact precision": part("contact_hits", "contacts_found"),
        "contact recall": part("contact_hits", "contacts_true"),
        "death precision": part("death_hits", "deaths_found"),
        "death recall": part("death_hits", "deaths_true"),
        "late": _quartiles(late),
        "late fitted": _quartiles(fitted),
        "full credit, right": part("right", "blamed"),
    }
    for name in ("lot", "nearest", "shared", "hazard", "likeliest"):
        found[name] = part(name, "kills")
    for rule in ("full", "nearest", "shared", "hazard"):
        rate = n[f"kills_{rule}"] / n["hours"] if n["hours"] else float("nan")
        found[f"rate {rule}"] = float(rate / true_rate) if true_rate else float("nan")
    for name in ("survival", "rmst", "lysis"):
        found[f"{name} bias"] = _bias(rows[name] - rows[f"{name}_true"])
    found["true survival"] = float(rows["survival_true"].mean())
    found["true lysis"] = float(rows["lysis_true"].mean())
    return found


def _quartiles(values: np.ndarray) -> tuple[float, float, float]:
    if not len(values):
        return (float("nan"),) * 3
    middle, low, high = np.quantile(values, [0.5, 0.25, 0.75])
    return float(middle), float(low), float(high)


def _bias(differences: pd.Series) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval (t, over movies)."""
    known = differences.dropna().to_numpy(float)
    if len(known) < 2:
        return float("nan"), float("nan")
    error = known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean()), float(stats.t.ppf(0.975, len(known) - 1) * error)


# -- showing --------------------------------------------------------------------------


def blocks(data: Path | None = None) -> Iterator[Block]:
    """Both tables of the page, measured anew."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        yield from _blocks_of(measure(Path(folder) / "rows.jsonl"))


def _blocks_of(rows: list[Row]) -> Iterator[Block]:
    table = summarised(rows)
    n = int(table["movies"].min())
    about = (
        f"By `python benchmarks/killing_limits.py`; {n} movies per line (seeds "
        f"{min(SEEDS)} to {max(SEEDS)}), 30 targets, 60 frames of 360 x 360 px in 2 h."
    )
    events = [_event_line(row) for _, row in table.iterrows()]
    yield Block(BLOCKS["killing_limits_events"], "killing_limits_events", about, events)
    numbers = [_number_line(row) for _, row in table.iterrows()]
    yield Block(
        BLOCKS["killing_limits_numbers"], "killing_limits_numbers", about, numbers
    )


def _where(row: pd.Series) -> Row:
    return {
        "T cells": f"{row['n_effectors']:.0f}",
        "S/N": f"{row['signal_to_noise']:.0f}",
        "min": f"{row['minutes']:.0f}",
    }


def _event_line(row: pd.Series) -> Row:
    return _where(row) | {
        "links": share(row["link precision"], 2),
        "contacts P / R": _pair(row["contact precision"], row["contact recall"]),
        "deaths P / R": _pair(row["death precision"], row["death recall"]),
        "late, frame (min)": _spread(row["late"]),
        "late, fitted (min)": _spread(row["late fitted"]),
        "full credit": share(row["full credit, right"], 2),
        "lot": share(row["lot"], 2),
        "nearest": share(row["nearest"], 2),
        "shared": share(row["shared"], 2),
        "likeliest": share(row["likeliest"], 2),
        "kills": f"{row['true kills']}",
    }


def _number_line(row: pd.Series) -> Row:
    return _where(row) | {
        "true survival": share(row["true survival"], 2),
        "survival off": _signed(row["survival bias"], 2),
        "mean survival off (min)": _signed(row["rmst bias"], 1),
        "true lysis (%)": f"{row['true lysis']:.0f}",
        "lysis off (points)": _signed(row["lysis bias"], 0),
        "kill rate: full credit": _ratio(row["rate full"]),
        "nearest": _ratio(row["rate nearest"]),
        "hit model": _ratio(row["rate hazard"]),
    }


def _pair(first: float, second: float) -> str:
    return f"{share(first, 2)} / {share(second, 2)}"


def _spread(values: tuple[float, float, float]) -> str:
    middle, low, high = values
    return "–" if middle != middle else f"{middle:.1f} ({low:.1f} to {high:.1f})"


def _signed(value: tuple[float, float], digits: int) -> str:
    middle, half = value
    return "–" if middle != middle else f"{middle:+.{digits}f} ± {half:.{digits}f}"


def _ratio(value: float) -> str:
    return "–" if value != value else f"x {value:.2f}"


#: Panel rows of the figure: title, column, good, bad, whether it is a bias around 0.
PANELS = (
    ("contact recall", "contact recall", 1.0, 0.5, False),
    ("death recall", "death recall", 1.0, 0.3, False),
    ("the likeliest killer is right", "likeliest", 1.0, 0.2, False),
    ("the nearest is right", "nearest", 1.0, 0.2, False),
    ("who touched and is blamed is right", "full credit, right", 1.0, 0.2, False),
    ("survival at 110 min: estimate - truth", "survival bias", 0.0, 0.4, True),
    ("specific lysis: estimate - truth (points)", "lysis bias", 0.0, 40.0, True),
)


def draw(table: pd.DataFrame, path: Path) -> None:
    """A row per measure, a column per signal-to-noise; density by interval within."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.fonttype"] = "none"
    plt.rcParams["svg.hashsalt"] = "killing_limits"
    lights = sorted(table["light"].unique(), reverse=True)
    size = (2.9 * len(lights) + 1.2, 1.75 * len(PANELS) + 0.6)
    figure, axes = plt.subplots(len(PANELS), len(lights), figsize=size, squeeze=False)
    for line, (title, column, good, bad, signed) in enumerate(PANELS):
        for place, light in enumerate(lights):
            own = table[table["light"] == light]
            axis = axes[line, place]
            _panel(axis, own, column, (good, bad), signed)
            if line == 0:
                ratio = own["signal_to_noise"].mean()
                axis.annotate(
                    f"signal / noise {ratio:.0f}", (0.5, 1.32), ha="center",
                    xycoords="axes fraction", fontsize=11,
                )  # fmt: skip
            if line == len(PANELS) - 1:
                axis.set_xlabel("minutes between frames", fontsize=9)
            if place == 0:
                axis.set_ylabel("T cells", fontsize=9)
        axes[line, 0].set_title(title, loc="left", fontsize=10, fontweight="bold")
    figure.tight_layout(h_pad=0.6)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _panel(
    axis: Any,
    own: pd.DataFrame,
    column: str,
    bounds: tuple[float, float],
    signed: bool,
) -> None:
    values = own.assign(
        shown=[v[0] if isinstance(v, tuple) else v for v in own[column]]
    ).pivot(index="n_effectors", columns="minutes", values="shown")
    plain = values.to_numpy(float)
    good, bad = bounds
    off = np.abs(plain) / bad if signed else (good - plain) / (good - bad)
    # Dark is bad, in one hue: it reads in grey and for the colour-blind.
    axis.imshow(np.clip(off, 0, 1), cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    large = np.nanmax(np.abs(plain)) > 2 if np.isfinite(plain).any() else False
    for (y, x), value in np.ndenumerate(plain):
        shade = np.clip(off[y, x], 0, 1)
        form = "+.0f" if signed and large else "+.2f" if signed else ".2f"
        axis.text(
            x, y, "–" if value != value else format(value, form), ha="center",
            va="center", fontsize=9, color="white" if shade > 0.7 else "black",
        )  # fmt: skip
    axis.set_xticks(range(values.shape[1]), [f"{v:g}" for v in values.columns])
    axis.set_yticks(range(values.shape[0]), [f"{v:g}" for v in values.index])
    axis.tick_params(length=0, labelsize=9)


def main() -> None:
    """Measure what is missing; print, or write the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True, help="JSON lines, kept")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--write", action="store_true", help="into the docs")
    asked = parser.parse_args()
    rows = measure(asked.rows, workers=asked.workers)
    for block in _blocks_of(rows):
        print(f"{block.markdown}\n")
        if asked.write:
            _blocks.write(block)
    if asked.write:
        draw(summarised(rows), REPOSITORY / FIGURE)


if __name__ == "__main__":
    main()
