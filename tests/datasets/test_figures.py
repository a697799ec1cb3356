"""What Kedro-Viz shows of a folder of figures."""

from __future__ import annotations

import base64

from cyto_kedro.datasets import FiguresDataset


def test_the_main_figure_is_the_preview(tmp_path):
    from matplotlib.figure import Figure

    figures = {name: Figure(figsize=(1, n)) for n, name in ((1, "a"), (2, "b_x"))}
    dataset = FiguresDataset(tmp_path / "figures", main="b")
    dataset.save(figures)
    files = dataset.load()
    assert base64.b64decode(dataset.preview()) == files["b_x"]["png"]
    other = FiguresDataset(tmp_path / "figures", main="missing")
    assert base64.b64decode(other.preview()) == files["a"]["png"]
