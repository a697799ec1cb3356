"""Outlines lie on the cells' edges, one pixel wide, in the role's colour."""

from __future__ import annotations

import numpy as np

from cyto_kedro.methods.segmentation.overlay import edges, outlines


def cells():
    labels = np.zeros((9, 12), np.uint32)
    labels[2:7, 2:6] = 1
    labels[2:7, 6:10] = 2
    return labels


def test_the_line_between_touching_cells_is_single():
    drawn = edges(cells())
    assert drawn[4].tolist() == [c in (2, 6, 9) for c in range(12)]
    assert not drawn[cells() == 0].any()


def test_colours_and_grey():
    image = np.arange(108.0).reshape(9, 12)
    labels = cells()
    rgb = outlines(image, {"tcell": labels}, colours={"tcell": "#102030"})
    assert rgb.dtype == np.uint8
    line = edges(labels)
    assert (rgb[line] == [0x10, 0x20, 0x30]).all()
    rest = rgb[~line]
    assert (rest == rest[:, :1]).all()
    assert rest[0, 0] == 0
    assert rest[-1, 0] == 255
    assert (np.diff(rest[:, 0].astype(int)) >= 0).all()


def test_two_roles_get_two_colours_and_zoom_keeps_lines_thin():
    a, b = cells(), np.zeros((9, 12), np.uint32)
    b[0, 0] = 1
    rgb = outlines(np.ones((9, 12)), {"a": a, "b": b}, zoom=3)
    assert rgb.shape == (27, 36, 3)
    coloured = (rgb != 0).any(axis=2)
    assert len(np.unique(rgb[coloured], axis=0)) == 2
    assert coloured[13, 6:9].tolist() == [True, False, False]


def test_flat_and_undefined_images_are_black():
    for image in (np.full((4, 5), 7), np.full((4, 5), np.nan)):
        assert not outlines(image, {}).any()
    image = np.array([[0.0, np.nan], [np.inf, 1.0]])
    rgb = outlines(image, {}, percentiles=(0, 100))
    assert rgb[..., 0].tolist() == [[0, 0], [255, 255]]
