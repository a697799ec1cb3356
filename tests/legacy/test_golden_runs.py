"""Each golden pyCyto file runs end to end, with networks trained here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from golden_runs import FRAMES, GoldenProject

CHANNELS = ("TCell", "Brightfield", "Dead", "Alive")
CELLS = ("TCell", "CancerCell")
pytestmark = [pytest.mark.slow, pytest.mark.learned]


ALL_STAGES = {
    "preprocessing/ChannelMerge/CancerCell.tif",
    *(f"preprocessing/PercentileNormalization/{name}.tif" for name in CHANNELS),
    "preprocessing/PercentileNormalization/CancerCell.tif",
    "preprocessing/GammaCorrection/TCell.tif",
    "segmentation/CellPose/TCell.tif",
    "segmentation/StarDist/CancerCell.tif",
    *(f"tracking/{name}.csv" for name in ("TCell", "Dead", "Alive")),
    *(f"tracking/{name}.xml" for name in ("TCell", "Alive")),
    "postprocessing/CrossTableOperation/CancerCell.csv",
    "postprocessing/FeatureFilter/TCellLarge.csv",
    *(f"postprocessing/KernelDensityEstimation/{name}KDE.csv" for name in CELLS),
    *(f"postprocessing/KernelDensityEstimation/{name}KDE.tif" for name in CELLS),
    *(f"postprocessing/CellTriangulation/{name}Network.tif" for name in CELLS),
    *(f"postprocessing/CellTriangulation/{name}Network_*.adjlist" for name in CELLS),
    *(
        f"postprocessing/CrossCellContactMeasures/{pair}{kind}"
        for pair in ("TCellToCancerCell", "CancerCellToTCell")
        for kind in (".csv", ".tif", "_*.adjlist")
    ),
}


@pytest.fixture
def golden(tmp_path: Path, small_weights: Path) -> GoldenProject:
    return GoldenProject.create(tmp_path / "p", small_weights)


def test_all_stages(golden: GoldenProject) -> None:
    said = golden.run_yaml("legacy_all_stages.yaml")
    assert "Cellpose 4 cannot load 'cyto2'" in said
    labels = tifffile.imread(golden.output / "segmentation/CellPose/TCell.tif")
    # image_range cuts the first 16 columns and takes every second frame.
    assert labels.shape == (FRAMES // 2, 160, 144) and labels.dtype == np.uint32
    assert golden.matching(labels, "tcell", x_start=16, t_step=2).f1 > 0.6
    tracks = pd.read_csv(golden.output / "tracking/TCell.csv")
    assert len(tracks) > tracks["TrackID"].nunique() > 0
    assert golden.written() == ALL_STAGES
    # What is written under a module's name is what that module made.
    merged = tifffile.imread(
        golden.output / "preprocessing/ChannelMerge/CancerCell.tif"
    )
    raw = golden.raw("C3", "C4")[:, ::2, :, 16:]
    assert np.allclose(merged, raw.mean(axis=0), atol=1e-3)
    folder = golden.output / "postprocessing"
    cells = pd.read_csv(folder / "CrossTableOperation/CancerCell.csv")
    dead = pd.read_csv(golden.output / "tracking/Dead.csv")
    assert np.allclose(cells["mean_divide"], cells["mean"] / dead["mean"])
    density = tifffile.imread(folder / "KernelDensityEstimation/TCellKDE.tif")
    assert density.shape == (FRAMES // 2, 40, 36)
    # Cells per mm2: the mean is the number of cells by the area of the field.
    area_mm2 = 160 * 144 * 0.65**2 * 1e-6
    counts = tracks.groupby("frame").size().to_numpy()
    assert np.allclose(density.mean(axis=(1, 2)) * area_mm2, counts)
    lines = tifffile.imread(folder / "CellTriangulation/TCellNetwork.tif")
    for cell in tracks.itertuples():
        assert lines[cell.frame, round(cell.i), round(cell.j)] > 0  # all are joined


def test_tracking(golden: GoldenProject) -> None:
    golden.run_yaml("tracking.yaml")
    tracks = pd.read_csv(golden.output / "tracking/NK.csv")
    assert set(tracks["frame"]) == set(range(FRAMES))
    truth = len(np.unique(golden.movie.mask("tcell", 0))) - 1
    assert abs(tracks["TrackID"].nunique() - truth) <= 3


def test_segmentation(golden: GoldenProject) -> None:
    golden.run_yaml("segmentation.yaml")
    nuclei = tifffile.imread(golden.output / "segmentation/StarDist/Nuclei.tif")
    truth = np.stack([golden.movie.mask("cancer", t) for t in range(FRAMES)])
    assert np.count_nonzero(truth[nuclei > 0]) > 0.8 * np.count_nonzero(nuclei)
    assert nuclei.reshape(FRAMES, -1).max(axis=1).min() >= 2
    # The file of masks is taken as it is.
    cells = pd.read_csv(golden.output / "tracking/GFP.csv")
    first = cells[cells["frame"] == 0]
    assert set(first["label"]) == set(np.unique(golden.movie.mask("tcell", 0))) - {0}


def test_postprocessing(golden: GoldenProject) -> None:
    golden.run_yaml("postprocessing.yaml")
    folder = golden.output / "postprocessing"
    assert len(pd.read_csv(folder / "MSD/TcellsMSD.csv")) > 0
    viability = pd.read_csv(folder / "CDI/Tumour.csv")
    contacts = pd.read_csv(folder / "CrossCellContactMeasures/TumourToT.csv")
    assert len(viability) and len(contacts)
    assert len(pd.read_csv(folder / "Kinematics/Tcells.csv")) > 0


def test_preprocessing(golden: GoldenProject) -> None:
    golden.run_yaml("preprocessing.yaml")
    folder = golden.output / "preprocessing"
    image = tifffile.imread(folder / "GammaCorrection/C1-GFP.tif")
    assert image.shape == golden.movie.shape and image.dtype == np.float32
    raw = golden.movie.frame("cancer", 0)
    # A gamma of 0.5 is monotonous: the brightest cells stay so.
    assert np.corrcoef(image[0].ravel(), np.sqrt(raw).ravel())[0, 1] > 0.9


def test_hybrid_on_bare_metal(golden: GoldenProject) -> None:
    said = golden.run_yaml("pipeline.hybrid.yaml", "--profile", "local")
    assert "Cellpose 4 cannot load 'cyto2'" in said
    # The file of pyCyto's documentation asks for no file.
    assert "No files were copied" in said and not golden.output.exists()
    run = golden.project.runs("segmentation+tabulation")[-1]
    assert run.name in said.replace("\n", "")
    found = golden.masks("hybrid", "CancerCell")
    truth = np.stack([golden.movie.mask("cancer", t) for t in range(FRAMES)])
    assert np.count_nonzero(truth[found > 0]) > 0.5 * np.count_nonzero(found)
    assert found.reshape(FRAMES, -1).max(axis=1).min() >= 1


def test_cluster_on_bare_metal(golden: GoldenProject) -> None:
    golden.run_yaml("pipeline.cluster.yaml", "--profile", "local")
    folder = golden.output / "postprocessing/CrossCellContactMeasures"
    table = pd.read_csv(folder / "TCellToCancer.csv")
    assert {"contact", "contacting cell labels", "closest cell dist"} <= set(table)
