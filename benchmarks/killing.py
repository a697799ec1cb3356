"""Attribution against a row loop, survival against lifelines, bootstrap by size.

All rows of the table are timed in one process, in turns, and given as medians; the
ratio is peer / ours. Peak memory is what Python and NumPy allocate on top.

    python benchmarks/killing.py
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DEATHS
from cyto_kedro.methods.killing.attribution import Dose, attribute
from cyto_kedro.methods.killing.chance import attribution_chance
from cyto_kedro.methods.killing.groups import bootstrap_survival
from cyto_kedro.methods.killing.hits import DelayPrior, fit_hits
from cyto_kedro.methods.killing.rise import fit_rises
from cyto_kedro.methods.killing.survival import Subjects, kaplan_meier
from cyto_kedro.methods.killing.touches import Touches

N_FRAMES, INTERVAL_MIN, WINDOW_MIN = 300, 2.0, 120.0
DOSE = Dose(hit_min=15.0, memory_min=50.0, max_hits=3.0, length_um=10.0)


def make_deaths(n: int, random: np.random.Generator) -> pd.DataFrame:
    """One death per target."""
    frame = random.integers(1, N_FRAMES, n)
    end = N_FRAMES - 1
    table = pd.DataFrame(
        {
            "role": "cancer",
            "track_id": np.arange(1, n + 1),
            "entry_frame": 0,
            "exit_frame": end,
            "entry_min": 0.0,
            "exit_min": end * INTERVAL_MIN,
            "death_frame": frame,
            "death_time_min": frame * INTERVAL_MIN,
            "censored": False,
            "reason": "died",
            "peak_signal": 1.0,
            "threshold": 0.5,
        }
    )
    return DEATHS.conform(table)


def make_touches(n_rows: int, n_targets: int, random: np.random.Generator) -> Touches:
    """Episodes of 20 frames between random pairs."""
    length = 20
    episodes = n_rows // length
    effector = random.integers(1, 2001, episodes)
    target = random.integers(1, n_targets + 1, episodes)
    start = random.integers(0, N_FRAMES - length, episodes)
    frame = (start[:, None] + np.arange(length)).ravel()
    pair = np.repeat(target * 10_000 + effector, length)
    _, keep = np.unique(pair * N_FRAMES + frame, return_index=True)
    random.shuffle(keep)
    return Touches(
        ("tcell",),
        np.zeros(len(keep), dtype=np.int64),
        np.repeat(effector, length)[keep],
        np.repeat(target, length)[keep],
        frame[keep],
        random.uniform(0, 2, len(keep)),
    )


Signal = tuple[np.ndarray, np.ndarray, float]


def logistic(t: np.ndarray, m: float, c: float, low: float, high: float) -> np.ndarray:
    """A rise from low to high with its middle at m."""
    return low + (high - low) / (1 + np.exp(np.clip((m - t) / c, -50, 50)))


def make_signals(n: int, random: np.random.Generator) -> list[Signal]:
    """Noisy rises at known frames."""
    times = np.arange(N_FRAMES) * INTERVAL_MIN
    signals = []
    for frame in random.integers(40, N_FRAMES - 40, n):
        rise = logistic(times, times[frame], 2.0, 0.0, 100.0)
        noise = random.normal(0, 5, N_FRAMES)
        signals.append((times, rise + noise, float(times[frame])))
    return signals


def generic_fits(signals: list[Signal]) -> list[np.ndarray]:
    """The same curve by a general optimiser, which gives no profile interval."""
    from scipy.optimize import curve_fit

    fits = []
    for times, values, found in signals:
        near = np.abs(times - found) <= 30.0
        start = (found, 2.0, values[near].min(), values[near].max())
        fit, _ = curve_fit(logistic, times[near], values[near], start, maxfev=5000)
        fits.append(fit)
    return fits


def row_loop(deaths: pd.DataFrame, contacts: pd.DataFrame) -> list[tuple[int, dict]]:
    """What a notebook would do: one selection of the contacts per death."""
    out = []
    for death in deaths.itertuples():
        own = contacts[
            (contacts["target"] == death.track_id)
            & (contacts["frame"] <= death.death_frame)
            & (contacts["frame"] >= death.death_frame - WINDOW_MIN / INTERVAL_MIN)
        ]
        weight = {}
        for effector, rows in own.groupby("effector"):
            age = (death.death_frame - rows["frame"]) * INTERVAL_MIN
            hits = (INTERVAL_MIN / 15.0 * np.exp(-age / 50.0)).sum()
            near = rows["distance_um"].min()
            weight[effector] = min(hits, 3.0) * np.exp(-near / 10.0)
        total = sum(weight.values())
        out.append((death.track_id, {e: w / total for e, w in weight.items()}))
    return out


def in_turns(
    calls: dict[str, Callable[[], object]], repeats: int
) -> dict[str, tuple[float, float]]:
    """(median seconds, peak MiB) of each call, timed in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    result = {}
    for name, call in calls.items():
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        result[name] = (float(np.median(seconds[name])), peak)
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deaths", type=int, default=10_000)
    parser.add_argument("--contacts", type=int, default=400_000)
    parser.add_argument("--loop-deaths", type=int, default=100)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()

    from lifelines import KaplanMeierFitter

    random = np.random.default_rng(0)
    shape = (N_FRAMES, 16, 16)
    clock = Calibration.regular(shape, frame_interval_min=INTERVAL_MIN)
    deaths = make_deaths(args.deaths, random)
    touches = make_touches(args.contacts, args.deaths, random)
    contacts = pd.DataFrame(
        {
            "target": touches.target,
            "effector": touches.effector,
            "frame": touches.frame,
            "distance_um": touches.distance_um,
        }
    )
    few = deaths.head(args.loop_deaths)
    exit_min = random.integers(1, N_FRAMES, args.cells) * INTERVAL_MIN
    cells = Subjects(np.zeros(args.cells), exit_min, random.random(args.cells) < 0.6)
    units = np.arange(args.cells)

    asked = (clock, "cancer", WINDOW_MIN)
    model = fit_hits(deaths, touches, *asked, DelayPrior())

    def credit(table: pd.DataFrame) -> pd.DataFrame:
        return attribute(table, touches, *asked, DOSE, model)

    signals = make_signals(args.fits, random)
    check_loop(row_loop(few, contacts), credit(few))
    found = in_turns(
        {
            "attribution": lambda: credit(deaths),
            "attribution, loop share": lambda: row_loop(few, contacts),
            "hit model": lambda: fit_hits(deaths, touches, *asked, DelayPrior()),
            "chance level, 1000 shifts": lambda: attribution_chance(
                deaths, touches, *asked, 1000, 1
            ),
            "onsets": lambda: fit_rises(signals, INTERVAL_MIN, 30.0, "sigmoid", 0.95),
            "onsets, curve_fit": lambda: generic_fits(signals),
            "Kaplan-Meier": lambda: kaplan_meier(cells),
            "Kaplan-Meier, lifelines": lambda: KaplanMeierFitter().fit(
                cells.exit, cells.died, entry=cells.entry
            ),
            "1000 bootstraps": lambda: bootstrap_survival(cells, units, 1000, 1),
        },
        args.repeats,
    )
    scale = args.deaths / len(few)
    loop = found["attribution, loop share"][0] * scale
    fitter = found["Kaplan-Meier, lifelines"][0]
    ratios = {
        "attribution": loop / found["attribution"][0],
        "onsets": found["onsets, curve_fit"][0] / found["onsets"][0],
        "Kaplan-Meier": fitter / found["Kaplan-Meier"][0],
        "1000 bootstraps": 1000 * fitter / found["1000 bootstraps"][0],
    }
    print(
        f"{args.deaths} deaths, {len(contacts)} contact rows, {args.cells} cells; "
        f"loop timed on {len(few)} deaths and scaled"
    )
    print(f"{'step':28s}{'ms':>10s}{'peak MiB':>10s}{'peer / ours':>13s}")
    for name, (seconds, peak) in found.items():
        ratio = f"{ratios[name]:.0f}x" if name in ratios else ""
        print(f"{name:28s}{1e3 * seconds:10.2f}{peak:10.1f}{ratio:>13s}")


def check_loop(loop: list[tuple[int, dict]], ours: pd.DataFrame) -> None:
    """Only equal results may be compared in time."""
    named = ours[ours["effector"].notna()]
    keys = zip(named["target_track_id"], named["effector_track_id"], strict=True)
    found = dict(zip(keys, named["credit_shared"], strict=True))
    expected = {(t, e): share for t, shares in loop for e, share in shares.items()}
    if found.keys() != expected.keys():
        raise SystemExit("the loop names other candidates")
    worst = max(abs(found[key] - expected[key]) for key in found)
    if worst > 1e-9:
        raise SystemExit(f"the loop differs by {worst}")


if __name__ == "__main__":
    main()
