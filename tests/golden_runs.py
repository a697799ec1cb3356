"""The golden pyCyto files on the example's simulated cells, with small networks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import zarr

import ideal_stardist
from cyto_kedro.methods.segmentation.scoring import Matching, match_cells
from cyto_kedro.simulation.movie import SimulatedMovie, simulate
from cyto_kedro.simulation.params import SimulationParams
from golden_pycyto import FOLDER
from project import Project

SITE = Path(__file__).parent / "learned_site"
FRAMES = 4
# What the raw files of the golden files show, by name.
_SHOWN = {
    **dict.fromkeys(("C1", "tcell", "t", "nk"), "tcell"),
    **dict.fromkeys(("C4", "cancer", "tumour", "gfp", "nuclei"), "cancer"),
    **dict.fromkeys(("C3", "pi"), "death"),
}


@dataclass(frozen=True)
class GoldenProject:
    """A project folder with the golden files, their images and the networks."""

    project: Project
    movie: SimulatedMovie

    @classmethod
    def create(cls, folder: Path, weights: Path) -> GoldenProject:
        """Simulate one movie and lay everything where the files look for it."""
        project = Project.create(folder)
        params = SimulationParams(
            n_frames=FRAMES, height_px=160, width_px=160, n_effectors=6, n_targets=5
        )
        made = cls(project, simulate(params))
        made._write_raw(folder / "raw")
        for model in ("cpsam", "cpsam_v2"):
            (folder / "models").mkdir(exist_ok=True)
            shutil.copy(weights, folder / "models" / model)
        known = folder / "home/.keras/models/StarDist2D"
        ideal_stardist.model_folder(known / "2D_versatile_fluo")
        for file in FOLDER.glob("*.yaml"):
            shutil.copy(file, folder)
        return made

    def _write_raw(self, folder: Path) -> None:
        folder.mkdir()
        frames = range(FRAMES)
        for name, shown in _SHOWN.items():
            stack = np.stack([self.movie.frame(shown, t) for t in frames])
            _write(folder / f"{name}.tif", stack)
        grey = np.random.default_rng(0).normal(900, 20, self.movie.shape)
        _write(folder / "C2.tif", grey.astype(np.uint16))
        masks = np.stack([self.movie.mask("tcell", t) for t in frames])
        _write(folder / "masks.tif", masks.astype(np.uint16))
        (folder / "cancer").mkdir()
        for t in frames:
            path = folder / "cancer" / f"im_{t:05d}.tif"
            tifffile.imwrite(path, self.movie.frame("cancer", t))

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which every Python finds the small networks."""
        paths = [str(SITE), os.environ.get("PYTHONPATH", "")]
        return self.project.environment() | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "CELLPOSE_LOCAL_MODELS_PATH": str(self.project.folder / "models"),
            "HOME": str(self.project.folder / "home"),
            "OMP_NUM_THREADS": "1",
        }

    def run_yaml(self, name: str, *words: str, timeout: float = 300) -> str:
        """Run a golden file as its user does; what was said."""
        done = subprocess.run(
            self.project.command("cyto", "run-yaml", name, *words),
            cwd=self.project.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-6000:]
        return said

    @property
    def output(self) -> Path:
        """Where the files want their results."""
        return self.project.folder / "output"

    def written(self) -> set[str]:
        """Files there; numbers of frames are one name."""
        found = [p for p in self.output.rglob("*") if p.is_file()]
        names = (p.relative_to(self.output).as_posix() for p in found)
        return {re.sub(r"\d{4}\.adjlist$", "*.adjlist", name) for name in names}

    def masks(self, name: str, role: str) -> np.ndarray:
        """Masks that the latest run of a file left in scratch."""
        (path,) = self.project.folder.glob(
            f"data/02_intermediate/{name}/{name}/*/{role}/labels.zarr"
        )
        return np.asarray(zarr.open_group(path, mode="r")["0"][:])

    def raw(self, *names: str) -> np.ndarray:
        """Raw stacks of these names, (names, T, Y, X)."""
        folder = self.project.folder / "raw"
        return np.stack([tifffile.imread(folder / f"{name}.tif") for name in names])

    def matching(
        self, masks: np.ndarray, role: str, x_start: int = 0, t_step: int = 1
    ) -> Matching:
        """Masks against the truth of all frames."""
        pooled = Matching(0.5, 0, 0, 0)
        for number, found in enumerate(masks):
            truth = self.movie.mask(role, number * t_step)[:, x_start:]
            pooled += match_cells(truth, found, (0.5,))[0]
        return pooled


def _write(path: Path, stack: np.ndarray) -> None:
    tifffile.imwrite(path, stack, photometric="minisblack")
