"""Translation between two frames by band-passed Fourier cross-correlation.

The cross-correlation is not normalised by the amplitude spectrum: the textbook "phase"
normalisation gives every frequency the same weight and fails where most of them hold
noise only. Band limits take its place: slow shading and pixel noise do not vote.

A pair is registered twice. On the whole frames the highest peak of the correlation is
found, wherever it is. Then the part that both frames show is cut out, tapered by
windows that move with the content (a fixed window would pull the estimate towards
zero), and the correlation is maximised between the pixels by Newton's method: the
limit of the upsampled Fourier transform of Guizar-Sicairos et al., Opt. Lett. 33, 156
(2008), doi:10.1364/OL.33.000156, for infinite upsampling.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from cyto_kedro.methods.preprocessing import spectra
from cyto_kedro.methods.preprocessing.spectra import Band, Shift

_NEWTON_STEPS = 12
_CONVERGED_PX = 1e-5
_WINDOW_ROUNDS = 5
_WINDOW_TOLERANCE_PX = 0.15
_REACH_PX = 8.0  # a maximum farther from the guess is another one
_STEADY_PX = 0.02
_TOLERANCE = 4.0  # times the median squared misfit, at which a pixel has half a say
_LEAST_OVERLAP = 0.2  # share of height and width, below which nothing is refined


def locate(
    reference: np.ndarray,
    frame: np.ndarray,
    shape: tuple[int, int],
    band: Band,
    max_shift_px: float | None = None,
) -> tuple[Shift, float]:
    """Shift at the highest peak of the correlation of two spectra.

    Args:
        reference: Spectrum of the reference.
        frame: Spectrum of the frame.
        shape: (Y, X) of the images.
        band: Band limits.
        max_shift_px: Largest shift considered, per axis.

    Returns:
        (dy, dx) in px, right to a few tenths of a pixel; and the prominence: the
        peak's height over the standard deviation of the whole correlation (noise
        alone reaches about 5).
    """
    padded = spectra.padded(shape)
    product = reference * np.conj(frame)
    product *= spectra.band_filter(padded, band)
    surface = fft.irfft2(product, s=padded, workers=1)
    spread = float(surface.std())
    if not spread > 0:
        return (0.0, 0.0), 0.0
    search = surface
    if max_shift_px is not None:
        reach = [np.abs(fft.fftfreq(n, 1 / n)) <= max_shift_px for n in padded]
        search = np.where(reach[0][:, None] & reach[1], surface, -np.inf)
    y, x = divmod(int(np.argmax(search)), padded[1])
    return _vertex(surface, (y, x)), float(surface[y, x]) / spread


def _vertex(surface: np.ndarray, peak: tuple[int, int]) -> Shift:
    """Top of the parabolas through a peak and its neighbours, as a signed shift."""
    place = []
    for axis, (index, size) in enumerate(zip(peak, surface.shape, strict=True)):
        line = surface[:, peak[1]] if axis == 0 else surface[peak[0]]
        before, top, after = (float(line[(index + k) % size]) for k in (-1, 0, 1))
        bend = before - 2 * top + after
        offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
        # Beyond half the size an index stands for a negative shift.
        signed = index - size if 2 * index > size else index
        place.append(signed + min(0.5, max(-0.5, offset)))
    return place[0], place[1]


def refine(
    reference: np.ndarray, frame: np.ndarray, guess: Shift, band: Band
) -> tuple[Shift, float]:
    """Sub-pixel shift near a guess and the correlation there.

    Args:
        reference: YX image.
        frame: YX image of the same shape.
        guess: (dy, dx) right to within a pixel or two.
        band: Band limits.

    Returns:
        (dy, dx) and the quality; the guess and NaN where the two hardly overlap or
        hold nothing to compare.
    """
    shift, quality = guess, float("nan")
    whole: tuple[int, int] | None = None
    for _ in range(_WINDOW_ROUNDS):
        if whole != (round(shift[0]), round(shift[1])):
            whole = round(shift[0]), round(shift[1])
            fixed, moving = overlap(reference, frame, whole)
            if _too_small(fixed.shape, reference.shape):
                return guess, float("nan")
            target = spectra.spectrum(fixed, (0.0, 0.0), spectra.FINE_TAPER)
        rest = shift[0] - whole[0], shift[1] - whole[1]
        source = spectra.spectrum(moving, rest, spectra.FINE_TAPER)
        response = spectra.band_filter(spectra.padded(fixed.shape), band)
        found, quality = _maximise(target, source, fixed.shape, rest, response)
        shift = whole[0] + found[0], whole[1] + found[1]
        if np.isnan(quality) or _distance(shift, guess) > _REACH_PX:
            return guess, float("nan")
        # The window sat where the content is: moving it again would change nothing.
        if _distance(found, rest) < _WINDOW_TOLERANCE_PX:
            break
    return shift, quality


def steady(
    reference: np.ndarray, frame: np.ndarray, shift: Shift, band: Band, rounds: int
) -> Shift:
    """Refined shift in which what moves on its own has little say.

    Pixels around which the band-passed frames differ more than elsewhere, although
    aligned, get less weight, and the correlation is maximised again (iteratively
    reweighted least squares with Cauchy weights). Without moving objects it leaves the
    shift as it is.

    Args:
        reference: YX image.
        frame: YX image of the same shape.
        shift: (dy, dx) from :func:`refine`.
        band: Band limits.
        rounds: Largest number of rounds; 0 returns the shift.
    """
    for _ in range(rounds):
        whole = round(shift[0]), round(shift[1])
        fixed, moving = overlap(reference, frame, whole)
        rest = shift[0] - whole[0], shift[1] - whole[1]
        target = _filtered(fixed, (0.0, 0.0), band)
        source = _filtered(moving, rest, band)
        weight = agreement(target, source)
        padded = spectra.padded(fixed.shape)
        parts = [fft.rfft2(p * weight, s=padded, workers=1) for p in (target, source)]
        step, quality = _maximise(parts[0], parts[1], fixed.shape, (0.0, 0.0))
        if np.isnan(quality) or max(map(abs, step)) > 1:
            return shift
        shift = shift[0] + step[0], shift[1] + step[1]
        if max(map(abs, step)) < _STEADY_PX:
            break
    return shift


def _filtered(plane: np.ndarray, rest: Shift, band: Band) -> np.ndarray:
    """Band-passed plane, moved by ``rest``."""
    height, width = plane.shape
    padded = spectra.padded((height, width))
    ky, kx = spectra.wave_numbers(padded)
    frequencies = spectra.spectrum(plane, rest, spectra.FINE_TAPER)
    frequencies *= np.sqrt(spectra.band_filter(padded, band))
    if any(rest):
        frequencies *= np.exp(-1j * ky * rest[0]).astype(np.complex64)[:, None]
        frequencies *= np.exp(-1j * kx * rest[1]).astype(np.complex64)
    return fft.irfft2(frequencies, s=padded, workers=1)[:height, :width]


def agreement(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Weight in (0, 1] of each pixel by how well the two agree around it."""
    power = float(np.vdot(source, source))
    gain = float(np.vdot(target, source)) / power if power > 0 else 1.0
    misfit = target - np.float32(gain) * source
    misfit *= misfit
    misfit = ndimage.uniform_filter(misfit, 5)
    usual = _TOLERANCE * float(np.median(misfit[::2, ::2]))
    if usual <= 0:
        return np.ones_like(misfit)
    return np.float32(usual) / (np.float32(usual) + misfit)


def _distance(one: Shift, other: Shift) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _too_small(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    pairs = zip(shape, whole, strict=True)
    return any(size < max(4, _LEAST_OVERLAP * full) for size, full in pairs)


def overlap(
    reference: np.ndarray, frame: np.ndarray, whole: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """What both show after moving ``frame`` by whole pixels (views)."""
    ours, theirs = [], []
    for distance, size in zip(whole, reference.shape, strict=True):
        ours.append(slice(max(0, distance), max(0, size + min(0, distance))))
        theirs.append(slice(max(0, -distance), max(0, size - max(0, distance))))
    return reference[tuple(ours)], frame[tuple(theirs)]


def _maximise(
    reference: np.ndarray,
    frame: np.ndarray,
    shape: tuple[int, ...],
    start: Shift,
    response: np.ndarray | None = None,
) -> tuple[Shift, float]:
    """Newton's method on the correlation as a continuous function of the shift."""
    padded = spectra.padded((shape[0], shape[1]))
    ky, kx = spectra.wave_numbers(padded)
    weights = spectra.half_weights(padded)
    filtered = weights if response is None else response * weights
    energy = np.sqrt(
        spectra.energy(reference, filtered) * spectra.energy(frame, filtered)
    )
    if not energy > 0:
        return start, float("nan")
    product = reference * np.conj(frame) * filtered
    at = np.array(start)
    value = 0.0
    for _ in range(_NEWTON_STEPS):
        value, slope, bend = _derivatives(product, ky, kx, at)
        step = _ascent(slope, bend)
        at = at + step
        if np.abs(step).max() < _CONVERGED_PX:
            break
    return (float(at[0]), float(at[1])), min(1.0, max(-1.0, value / energy))


def _derivatives(
    product: np.ndarray, ky: np.ndarray, kx: np.ndarray, at: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Correlation at a shift, its gradient and its matrix of second derivatives."""
    wave_x = np.exp(1j * kx * at[1])
    wave_y = np.exp(1j * ky * at[0])
    along_x = np.stack([wave_x, 1j * kx * wave_x, -(kx**2) * wave_x], axis=1)
    rows = product @ along_x.astype(np.complex64)
    along_y = np.stack([wave_y, 1j * ky * wave_y, -(ky**2) * wave_y])
    both = (along_y @ rows.astype(np.complex128)).real
    slope = np.array([both[1, 0], both[0, 1]])
    bend = np.array([[both[2, 0], both[1, 1]], [both[1, 1], both[0, 2]]])
    return float(both[0, 0]), slope, bend


def _ascent(slope: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Newton step towards the maximum, at most half a pixel per axis.

    Where the surface is not dome-shaped its curvatures' magnitudes are used, so that
    the step still goes uphill.
    """
    curvature, axes = np.linalg.eigh(bend)
    size = np.maximum(np.abs(curvature), 1e-12 * np.abs(curvature).max() + 1e-300)
    step = axes @ ((axes.T @ slope) / size)
    return np.clip(step, -0.5, 0.5)
