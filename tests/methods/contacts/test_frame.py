"""Contacts of a frame against brute force over all pixels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.contacts.frame import FramePairs, measure_frame
from cyto_kedro.methods.contacts.rules import (
    CONTACT_RULES,
    ContactLimits,
    EdgeRule,
    OverlapRule,
)
from cyto_kedro.methods.tabulation.objects import find_objects
from cyto_kedro.methods.tabulation.shape import crofton_weights, perimeter_um

Pair = tuple[int, int]
FAR = 2**32 - 1


def edge(contact: float, leave: float) -> ContactLimits:
    rule = EdgeRule(contact_distance_um=contact, leave_distance_um=leave)
    return CONTACT_RULES["edge"](rule, (1.0, 1.0))


def length_of(pixel: np.ndarray, mask: np.ndarray, spacing: tuple) -> float:
    """Boundary length that one pixel of a mask stands for, crossing by crossing."""
    along, across, slanted = crofton_weights(spacing)
    total = 0.0
    for dy, dx in product((-1, 0, 1), repeat=2):
        y, x = pixel[0] + dy, pixel[1] + dx
        inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x]
        if (dy or dx) and not inside:
            total += slanted if dy and dx else along if dx else across
    return total


def brute_force(
    a: np.ndarray, b: np.ndarray, spacing: tuple, limits: ContactLimits
) -> dict[Pair, tuple]:
    """(distance, centroid distance, boundary, overlap) of every pair within reach."""
    found = {}
    for i, j in product(np.unique(a[a > 0]), np.unique(b[b > 0])):
        p, q = np.argwhere(a == i), np.argwhere(b == j)
        between = cdist(p * spacing, q * spacing)
        if between.min() > limits.leave_um:
            continue
        close = q[between.min(axis=0) <= limits.contact_um]
        found[int(i), int(j)] = (
            between.min(),
            np.linalg.norm((p.mean(0) - q.mean(0)) * spacing),
            sum(length_of(pixel, b == j, spacing) for pixel in close),
            int(((a == i) & (b == j)).sum()),
        )
    return found


def as_dict(pairs: FramePairs) -> dict[Pair, tuple]:
    columns = (
        pairs.distance_um,
        pairs.centroid_distance_um,
        pairs.boundary_um,
        pairs.overlap_px,
    )
    keys = zip(pairs.effector_label.tolist(), pairs.target_label.tolist(), strict=True)
    return dict(zip(keys, zip(*columns, strict=True), strict=True))


def assert_equal(got: dict, wanted: dict) -> None:
    assert list(got) == sorted(wanted)
    for pair, figures in wanted.items():
        np.testing.assert_allclose(got[pair], figures, rtol=1e-12, atol=1e-12)


shape = st.shared(st.tuples(st.integers(1, 8), st.integers(1, 8)), key="shape")
mask = hnp.arrays(
    np.uint32,
    shape,
    elements=st.sampled_from([1, 2, FAR]),
    fill=st.just(0),
)


@given(
    mask,
    mask,
    st.sampled_from([(1.0, 1.0), (0.5, 2.0), (0.65, 0.65)]),
    st.sampled_from([(0.0, 0.0), (1.0, 1.5), (1.5, 3.0), (2.0, 40.0)]),
)
@settings(max_examples=70, deadline=None)
def test_any_masks_equal_brute_force(
    a: np.ndarray, b: np.ndarray, spacing: tuple, distances: tuple
) -> None:
    limits = edge(*distances)
    got = as_dict(measure_frame(a, b, spacing, limits))
    assert_equal(got, brute_force(a, b, spacing, limits))


def cells(seed: int, n: int, radius: tuple[int, int], size: int = 70) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.uint32)
    y, x = np.ogrid[:size, :size]
    for name in rng.choice(FAR, n, replace=False) + 1:
        (cy, cx), r = rng.integers(0, size, 2), rng.integers(*radius)
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = name
    return labels


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("leave", [3.0, 18.0, 200.0])
def test_cell_like_masks_equal_brute_force_at_any_reach(
    seed: int, leave: float
) -> None:
    # Small effectors on large targets: contained, overlapping, touching and apart.
    a, b = cells(seed, 9, (2, 5)), cells(seed + 50, 5, (6, 14))
    limits, spacing = edge(1.42, leave), (0.8, 1.1)
    got = as_dict(measure_frame(a, b, spacing, limits))
    wanted = brute_force(a, b, spacing, limits)
    assert_equal(got, wanted)
    assert len(wanted) > 2


def one(rows: slice, columns: slice, label: int = 1) -> np.ndarray:
    labels = np.zeros((30, 30), np.uint32)
    labels[rows, columns] = label
    return labels


def test_a_cell_inside_another_is_in_contact() -> None:
    inside, around = (
        one(np.s_[13:16], np.s_[13:16], 4),
        one(np.s_[5:25], np.s_[5:25], 7),
    )
    for a, b, pair in ((inside, around, (4, 7)), (around, inside, (7, 4))):
        pairs = measure_frame(a, b, (1.0, 1.0), edge(1.5, 3.0))
        assert as_dict(pairs)[pair][0] == 0.0
        assert pairs.overlap_px.tolist() == [9]
        assert pairs.in_contact.tolist() == [True]


@pytest.mark.parametrize(
    ("shift", "distance", "contact"),
    [((0, 5), 1.0, True), ((5, 5), np.sqrt(2), True), ((0, 6), 2.0, False)],
)
def test_touching_at_an_edge_or_corner_counts_by_default(
    shift: tuple[int, int], distance: float, contact: bool
) -> None:
    a = one(np.s_[5:10], np.s_[5:10])
    b = np.roll(a, shift, (0, 1))
    spacing = (0.65, 0.65)
    limits = CONTACT_RULES["edge"](EdgeRule(), spacing)
    pairs = measure_frame(a, b, spacing, limits)
    assert pairs.distance_um == pytest.approx([0.65 * distance])
    assert pairs.in_contact.tolist() == [contact]
    overlap_only = CONTACT_RULES["overlap"](OverlapRule(), spacing)
    assert len(measure_frame(a, b, spacing, overlap_only).distance_um) == 0


def test_overlap_rule_counts_shared_pixels_only() -> None:
    a, b = one(np.s_[5:10], np.s_[5:10]), one(np.s_[9:14], np.s_[8:14], 3)
    for needed, contact in ((1, True), (2, True), (3, False)):
        limits = CONTACT_RULES["overlap"](OverlapRule(min_overlap_px=needed), (1, 1))
        pairs = measure_frame(a, b, (1.0, 1.0), limits)
        assert pairs.overlap_px.tolist() == [2]
        assert pairs.in_contact.tolist() == [contact]


def test_every_partner_of_a_crowded_cell_is_found() -> None:
    target = one(np.s_[10:20], np.s_[10:20], 5)
    effectors = np.zeros_like(target)
    places = [np.s_[6:10, 12:15], np.s_[6:10, 15:18], np.s_[20:23, 9:12]]
    places += [np.s_[12:15, 20:24], np.s_[13:16, 13:16]]
    for name, place in enumerate(places, start=1):
        effectors[place] = name
    pairs = measure_frame(effectors, target, (1.0, 1.0), edge(1.5, 3.0))
    assert pairs.effector_label.tolist() == [1, 2, 3, 4, 5]
    assert pairs.in_contact.all()


def test_an_enclosing_effector_covers_the_whole_perimeter() -> None:
    target = one(np.s_[10:16], np.s_[10:21], 2)
    ring = one(np.s_[8:18], np.s_[8:23], 9)
    ring[target > 0] = 0
    spacing = (0.5, 0.8)
    pairs = measure_frame(ring, target, spacing, edge(1.0, 2.0))
    wanted = perimeter_um(find_objects(target).crossings, spacing)
    assert pairs.boundary_um == pytest.approx(wanted, rel=1e-12)


def test_a_long_straight_contact_has_its_length() -> None:
    top, bottom = np.zeros((2, 40, 260), np.uint32)
    top[5:20, 5:255], bottom[20:35, 5:255] = 1, 1
    pairs = measure_frame(top, bottom, (0.65, 0.65), edge(0.65, 1.3))
    assert pairs.boundary_um == pytest.approx([250 * 0.65], rel=0.06)


@given(mask, st.sampled_from([1.5, 4.0]))
@settings(max_examples=30, deadline=None)
def test_cells_of_one_kind_pair_with_each_other_once(
    labels: np.ndarray, reach: float
) -> None:
    limits = edge(1.5, reach)
    got = as_dict(measure_frame(labels, labels, (1.0, 1.0), limits, same=True))
    wanted = brute_force(labels, labels, (1.0, 1.0), limits)
    assert_equal(got, {pair: w for pair, w in wanted.items() if pair[0] < pair[1]})


@given(mask, mask)
@settings(max_examples=30, deadline=None)
def test_distance_and_overlap_do_not_depend_on_who_is_the_effector(
    a: np.ndarray, b: np.ndarray
) -> None:
    one_way = as_dict(measure_frame(a, b, (0.5, 0.7), edge(1.0, 2.0)))
    other = as_dict(measure_frame(b, a, (0.5, 0.7), edge(1.0, 2.0)))
    assert {(j, i) for i, j in one_way} == set(other)
    for (i, j), (distance, between, _, overlap) in one_way.items():
        assert other[j, i][0] == distance
        assert other[j, i][1] == pytest.approx(between, abs=1e-12)
        assert other[j, i][3] == overlap


def test_frames_without_cells_have_no_contacts() -> None:
    empty, full = np.zeros((6, 6), np.uint32), np.ones((6, 6), np.uint32)
    for a, b in ((empty, full), (full, empty), (empty, empty)):
        assert len(measure_frame(a, b, (1.0, 1.0), edge(1.5, 3.0)).distance_um) == 0


def test_a_contact_cannot_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="at least contact_distance_um"):
        EdgeRule(contact_distance_um=3.0, leave_distance_um=2.0)
    with pytest.raises(ConfigError, match="one pixel diagonal"):
        CONTACT_RULES["edge"](EdgeRule(leave_distance_um=0.5), (1.0, 1.0))


@pytest.mark.parametrize("name", sorted(CONTACT_RULES))
def test_every_rule_is_deterministic_and_leaves_masks_alone(name: str) -> None:
    a, b = cells(1, 9, (2, 5)), cells(2, 5, (6, 14))
    kept = a.copy(), b.copy()
    rule = {"edge": EdgeRule(), "overlap": OverlapRule()}[name]
    limits = CONTACT_RULES[name](rule, (1.0, 1.0))
    first, again = (measure_frame(a, b, (1.0, 1.0), limits) for _ in range(2))
    assert as_dict(first) == as_dict(again)
    assert (a == kept[0]).all() and (b == kept[1]).all()
