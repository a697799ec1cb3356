"""Do cell types mix? Edges between roles against roles dealt out anew."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import NETWORK_MIXING
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.killing.permutation import with_corrected
from cyto_kedro.methods.networks.graphs import Edges


class MixingOptions(Params):
    """The chance level of edges between roles."""

    permutations: int = Field(
        default=199, ge=0, description="random deals of the roles to the tracks"
    )
    seed: int = Field(default=0, ge=0, description="seed of the deals")


def mixing_table(
    kind: str,
    cells: MovieCells,
    edges: Edges,
    times_min: np.ndarray,
    options: MixingOptions,
) -> pd.DataFrame:
    """Table NETWORK_MIXING of one kind of graph: each frame, then the whole movie.

    Join counts (Cliff & Ord 1981): how many edges join two cells of these roles. Under
    the null hypothesis the roles are dealt out at random to the tracks, with every
    track in its place: a cell keeps its role over time, so that a movie is not taken
    for as many independent experiments as it has frames. The p value is two-sided,
    ``2 (1 + k) / (1 + n)`` with k the deals as extreme on the rarer side.

    Args:
        kind: Name of the graph.
        cells: All cells.
        edges: Its edges.
        times_min: (T,) time of each frame.
        options: Number of deals and seed.

    Returns:
        One row per frame and pair of roles; none with fewer than two roles.
    """
    n_roles, n_frames = len(cells.roles), len(times_min)
    if n_roles < 2 or not len(cells):
        return NETWORK_MIXING.empty()
    pairs = list(combinations_with_replacement(range(n_roles), 2))
    code = np.empty((n_roles, n_roles), np.int64)
    for number, (a, b) in enumerate(pairs):
        code[a, b] = code[b, a] = number
    unit, role = _tracks(cells)
    ends = unit[edges.ends]
    row = cells.frame[edges.ends[:, 0]] * len(pairs)
    size = n_frames * len(pairs)

    def joined(dealt: np.ndarray) -> np.ndarray:
        """(T + 1, pairs) edges by frame, and of the whole movie."""
        kinds = code[dealt[ends[:, 0]], dealt[ends[:, 1]]]
        counts = np.bincount(row + kinds, minlength=size).reshape(n_frames, -1)
        return np.vstack([counts, counts.sum(axis=0)])

    rng = np.random.default_rng(options.seed)
    seen = joined(role)
    drawn = np.array(
        [joined(rng.permutation(role)) for _ in range(options.permutations)]
    ).reshape(-1, *seen.shape)
    names = [(cells.roles[a], cells.roles[b]) for a, b in pairs]
    return _compared(kind, seen, drawn, names, times_min)


def _tracks(cells: MovieCells) -> tuple[np.ndarray, np.ndarray]:
    """(N,) number of each cell's track in the movie, and the role of each track."""
    key = np.column_stack([cells.role, cells.track_id])
    tracks, unit = np.unique(key, axis=0, return_inverse=True)
    return unit.ravel(), tracks[:, 0]


def _compared(
    kind: str,
    seen: np.ndarray,
    drawn: np.ndarray,
    names: list[tuple[str, str]],
    times_min: np.ndarray,
) -> pd.DataFrame:
    n_frames, n_drawn = len(times_min), len(drawn)
    expected = low = high = spread = p_value = np.full(seen.shape, np.nan)
    if n_drawn:
        expected, spread = drawn.mean(axis=0), drawn.std(axis=0)
        low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
        rarer = np.minimum((drawn >= seen).sum(axis=0), (drawn <= seen).sum(axis=0))
        # Without any edge there is nothing to test.
        edges = seen.sum(axis=1, keepdims=True) > 0
        p_value = np.where(
            edges, np.minimum(2 * (1 + rarer) / (1 + n_drawn), 1), np.nan
        )
    frame = pd.array([*range(n_frames), pd.NA], dtype="Int64")
    n_pairs = len(names)
    table = pd.DataFrame(
        {
            "graph": kind,
            "frame": frame.repeat(n_pairs),
            "time_min": np.repeat([*times_min, np.nan], n_pairs),
            "role_a": [a for a, _ in names] * (n_frames + 1),
            "role_b": [b for _, b in names] * (n_frames + 1),
            "n_edges": seen.ravel(),
            "expected": expected.ravel(),
            "expected_low": low.ravel(),
            "expected_high": high.ravel(),
            "ratio": (seen / np.where(expected > 0, expected, np.nan)).ravel(),
            "z": ((seen - expected) / np.where(spread > 0, spread, np.nan)).ravel(),
            "p_value": p_value.ravel(),
            "n_permutations": n_drawn,
        }
    )
    # Frames repeat one question; the whole movie is another.
    table = with_corrected(table, table["frame"].isna().to_numpy(np.int64))
    return NETWORK_MIXING.conform(table.drop(columns="n_tests"))
