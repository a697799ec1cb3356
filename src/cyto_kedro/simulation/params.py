"""What a simulated movie looks like, in um and minutes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.simulation.killing_params import KillingParams, SingleHitParams


class EffectorParams(Params):
    """T cells: persistent random walkers that arrest on the targets they meet."""

    radius_um: float = Field(default=4.3, gt=0, description="mean radius (um)")
    radius_cv: float = Field(default=0.07, ge=0, le=0.3, description="spread of radius")
    speed_um_per_min: float = Field(
        default=2.6, ge=0, description="median speed of free cells (um/min)"
    )
    speed_cv: float = Field(
        default=0.3, ge=0, le=1, description="log spread of speed between cells"
    )
    persistence_min: float = Field(
        default=9.0, gt=0, description="time over which the direction is kept (min)"
    )
    elongation: float = Field(
        default=0.17, ge=0, le=0.3, description="relative stretch of moving cells"
    )
    arrest_probability: float = Field(
        default=0.8, ge=0, le=1, description="chance to arrest on a living target"
    )
    overlap_um: float = Field(
        default=0.9, ge=0, description="how far its mask reaches into a target (um)"
    )
    avoid_min: float = Field(
        default=12.0,
        ge=0,
        description="a target that was left is ignored so long (min)",
    )
    brightness_cv: float = Field(
        default=0.25, ge=0, le=1, description="log spread of brightness between cells"
    )


class TargetParams(Params):
    """Cancer cells: nearly immobile, irregular, dividing now and then."""

    radius_um: float = Field(default=10.0, gt=0, description="mean radius (um)")
    radius_cv: float = Field(default=0.06, ge=0, le=0.3, description="spread of radius")
    diffusion_um2_per_min: float = Field(
        default=0.005, ge=0, description="diffusion coefficient of the cell (um2/min)"
    )
    irregularity: float = Field(
        default=0.13, ge=0, le=0.25, description="relative size of the lobes"
    )
    deformation_min: float = Field(
        default=60.0, gt=0, description="time over which the outline changes (min)"
    )
    spacing_um: float = Field(
        default=0.4, ge=0, description="gap that neighbours are pushed to keep (um)"
    )
    division_per_hour: float = Field(
        default=0.05, ge=0, description="divisions per living target and hour (1/h)"
    )
    mitosis_min: float = Field(
        default=20.0, gt=0, description="rounding before a division (min)"
    )
    growth_min: float = Field(
        default=240.0, gt=0, description="time in which a daughter's area doubles (min)"
    )
    bystander_death_per_hour: float = Field(
        default=0.02, ge=0, description="deaths without any effector (1/h)"
    )
    n_dead_at_start: int = Field(
        default=1, ge=0, description="targets that are dead before the first frame"
    )
    brightness_cv: float = Field(
        default=0.25, ge=0, le=1, description="log spread of brightness between cells"
    )


class DyingParams(Params):
    """What the camera sees of a death."""

    dye_rise_min: float = Field(
        default=6.0, gt=0, description="10 to 90 % rise of the death dye (min)"
    )
    shrinking_min: float = Field(
        default=15.0, gt=0, description="time constant of shrinking and rounding (min)"
    )
    final_radius: float = Field(
        default=0.8, gt=0, le=1, description="radius of a dead cell / living radius"
    )
    fading_min: float = Field(
        default=25.0, gt=0, description="time constant of the live signal's fall (min)"
    )
    final_signal: float = Field(
        default=0.35, ge=0, le=1, description="live signal that remains"
    )


class OpticsParams(Params):
    """Light, optics and camera; one photon is one count."""

    effector_photons: float = Field(default=320, ge=0, description="peak of a T cell")
    target_photons: float = Field(default=360, ge=0, description="peak of a target")
    dye_photons: float = Field(default=520, ge=0, description="peak of a dead cell")
    background_photons: float = Field(default=45, ge=0, description="empty field")
    psf_sigma_um: float = Field(default=0.5, ge=0, description="optical blur (um)")
    haze: float = Field(
        default=0.15, ge=0, le=1, description="share of light from out of focus"
    )
    haze_um: float = Field(default=6.0, gt=0, description="width of that haze (um)")
    vignetting: float = Field(
        default=0.3, ge=0, le=1, description="loss of illumination at the far corner"
    )
    bleaching_per_hour: float = Field(
        default=0.09, ge=0, description="exponential loss of the live dyes (1/h)"
    )
    leakage: float = Field(
        default=0.03, ge=0, le=1, description="target signal seen in the death channel"
    )
    dim_probability: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="chance of a cell to begin to dim, per frame",
    )
    dim_signal: float = Field(
        default=0.08, ge=0, le=1, description="signal of a dimmed cell"
    )
    dim_frames: float = Field(
        default=1.0,
        ge=1,
        description="mean length of such a spell (frames); long ones break tracks",
    )
    shot_noise: Literal["poisson", "normal"] = Field(
        default="poisson",
        description="photon statistics; normal is its fast approximation",
    )
    camera_offset: float = Field(default=100, ge=0, description="counts without light")
    read_noise: float = Field(default=2.5, ge=0, description="standard deviation")


class StageParams(Params):
    """Smooth stage drift and one jump, the same in all channels."""

    drift_um: float = Field(
        default=2.5, ge=0, description="amplitude of the smooth drift (um)"
    )
    jump_um: float = Field(default=3.2, ge=0, description="length of the jump (um)")
    jump_at: float = Field(
        default=0.62, ge=0, le=1, description="time of the jump / movie duration"
    )


class SimulationParams(Params):
    """One movie. The same values give the same movie, bit for bit."""

    seed: int = Field(default=32, ge=0, description="seed of everything random")
    n_frames: int = Field(default=60, ge=1, description="frames")
    height_px: int = Field(default=360, ge=16, description="rows (px)")
    width_px: int = Field(default=360, ge=16, description="columns (px)")
    pixel_size_um: float = Field(default=0.65, gt=0, description="pixel size (um)")
    frame_interval_min: float = Field(default=2.0, gt=0, description="interval (min)")
    steps_per_frame: int = Field(
        default=4, ge=1, le=64, description="time steps of the motion per frame"
    )
    n_effectors: int = Field(default=26, ge=0, description="T cells in the first frame")
    n_targets: int = Field(default=30, ge=0, description="targets in the first frame")
    effector: EffectorParams = Field(default=EffectorParams(), description="T cells")
    target: TargetParams = Field(default=TargetParams(), description="cancer cells")
    killing: KillingParams = Field(
        default=SingleHitParams(), description="how T cells kill"
    )
    dying: DyingParams = Field(default=DyingParams(), description="look of a death")
    optics: OpticsParams = Field(default=OpticsParams(), description="imaging")
    stage: StageParams = Field(default=StageParams(), description="stage drift")

    @property
    def field_um(self) -> tuple[float, float]:
        """Height and width of the field of view (um)."""
        return self.height_px * self.pixel_size_um, self.width_px * self.pixel_size_um

    @property
    def margin_um(self) -> float:
        """Cells live so far beyond the field, to enter and to leave it (um)."""
        drift = 2 * self.stage.drift_um + self.stage.jump_um
        return drift + 3 * max(self.target.radius_um, self.effector.radius_um)
