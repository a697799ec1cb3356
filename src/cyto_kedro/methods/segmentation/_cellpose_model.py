"""The loaded network: once per process, one frame at a time per device.

Imports torch; only the method imports this module, and only to work.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from cyto_kedro.core.errors import ConfigError, FrameError
from cyto_kedro.core.parallel import workers

logger = logging.getLogger(__name__)

_Key = tuple[str, int, int, str, str]
_models: dict[_Key, LoadedModel] = {}
_loading = threading.Lock()
_devices: dict[str, threading.Lock] = {}


@dataclass(frozen=True)
class LoadedModel:
    """A network on a device.

    Attributes:
        network: A ``cellpose.models.CellposeModel``.
        turn: Held while the device works: two frames at once would need twice its
            memory and gain no time.
    """

    network: Any
    turn: threading.Lock

    def masks(self, image: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
        """Masks of one YX float32 image.

        Raises:
            FrameError: The memory of the GPU does not suffice.
        """
        with self.turn:
            try:
                masks, _, _ = self.network.eval(image, **settings)
            except torch.OutOfMemoryError as exc:
                raise FrameError(
                    f"The GPU's memory does not suffice: {exc}",
                    where=f"segmentation by Cellpose on {self.network.device}",
                    fix="lower segmentation.<role>.method.batch_size (now "
                    f"{settings['batch_size']}), or crop the movie",
                ) from exc
        found: np.ndarray = masks
        return found


def device_for(gpu: str) -> torch.device:
    """The device that ``auto``, ``on`` or ``off`` stands for on this machine.

    Raises:
        ConfigError: A GPU is demanded and there is none.
    """
    if gpu != "off":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        if torch.backends.mps.is_available():
            return torch.device("mps")
    if gpu == "on":
        raise ConfigError(
            "Cellpose was told to use a GPU, and torch finds none here",
            where="segmentation.<role>.method.gpu: on",
            fix="run the node where there is a GPU, install torch with CUDA, or set "
            "gpu: auto to accept the CPU (about a minute per 256 x 256 px)",
        )
    return torch.device("cpu")


def model_for(weights: Path, gpu: str, precision: str) -> LoadedModel:
    """The model of a weights file, loaded by whichever thread asks first.

    Args:
        weights: File of ``cellpose.train`` or a built-in model.
        gpu: ``auto``, ``on`` or ``off``.
        precision: ``auto``, ``bfloat16`` or ``float32``.

    Raises:
        ConfigError: The file holds no network of Cellpose 4, or only a part of one.
    """
    device = device_for(gpu)
    half = precision == "bfloat16" or (precision == "auto" and device.type != "cpu")
    state = weights.stat()
    # A file that was replaced is another model.
    key = (str(weights), state.st_size, state.st_mtime_ns, str(device), str(half))
    with _loading:
        if key not in _models:
            turn = _devices.setdefault(str(device), threading.Lock())
            _models[key] = LoadedModel(_load(weights, device, half), turn)
        return _models[key]


def forget_models() -> None:
    """Free the memory of all loaded models."""
    with _loading:
        _models.clear()


def _load(weights: Path, device: torch.device, half: bool) -> Any:
    # Greets with a warning that an optional network, unused here, is missing.
    logging.getLogger("cellpose.vit").setLevel(logging.ERROR)
    from cellpose.models import CellposeModel

    # What torch does anyway; said aloud it does not warn about Cellpose's use of it.
    torch.sparse.check_sparse_tensor_invariants.disable()
    if device.type == "cpu":
        # Other frames wait for this one: it may have all threads that we were given.
        torch.set_num_threads(workers())
    try:
        network = CellposeModel(
            pretrained_model=str(weights), device=device, use_bfloat16=half
        )
        missing = _missing_tensors(weights, network.net)
    except (RuntimeError, ValueError, KeyError, UnpicklingError) as exc:
        raise _not_a_model(weights, f"{type(exc).__name__}: {exc}") from exc
    if missing:
        shown = ", ".join(missing[:3])
        raise _not_a_model(weights, f"{len(missing)} tensors are missing: {shown}, ...")
    logger.info("Cellpose: %s on %s", weights.name, device_name(device))
    if device.type == "cpu":
        logger.warning(
            "Cellpose runs on the CPU: allow about a minute per 256 x 256 px of a frame"
        )
    return network


def device_name(device: torch.device) -> str:
    """What a person calls the device."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return device.type


def _missing_tensors(weights: Path, net: Any) -> list[str]:
    # Cellpose loads loosely: what a file lacks would stay random without a word.
    found = torch.load(weights, map_location="cpu", mmap=True, weights_only=True)
    stored = {name.removeprefix("module.") for name in found}
    return sorted(set(net.state_dict()) - stored)


def _not_a_model(weights: Path, why: str) -> ConfigError:
    return ConfigError(
        f"This file cannot be loaded as a network of Cellpose 4: {why.splitlines()[0]}",
        where=str(weights),
        fix="use cpsam_v2, cpsam, or weights that were trained with Cellpose 4",
    )
