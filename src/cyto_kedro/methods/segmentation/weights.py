"""Where the weights of Cellpose lie; nothing here downloads or imports torch."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from cyto_kedro.core.errors import ConfigError

#: Built-in models that can be named instead of a file.
MODELS = ("cpsam_v2", "cpsam")
#: Cellpose's own variable for the folder that holds built-in models.
FOLDER_VARIABLE = "CELLPOSE_LOCAL_MODELS_PATH"
# Of Cellpose 1 to 3, and of the models that these shipped.
_LEGACY = {
    *("cyto", "cyto2", "cyto3", "nuclei", "livecell", "tissuenet", "general"),
    *("cp", "cpx", "tn1", "tn2", "tn3", "lc1", "lc2", "lc3", "lc4"),
    *("livecell_cp3", "tissuenet_cp3", "yeast_phc_cp3", "yeast_bf_cp3"),
    *("bact_phase_cp3", "bact_fluor_cp3", "deepbacs_cp3", "cyto2_cp3"),
    *("cyto2torch_0", "cytotorch_0", "transformer_cp3", "neurips_cellpose_default"),
}


def check_name(model: str) -> str:
    """A model as the user wrote it, unless it can be no model of Cellpose 4.

    Raises:
        ValueError: The name of an older or unsupported model, or a misspelt one.
    """
    if model.lower() in _LEGACY:
        raise ValueError(
            f"'{model}' is a model of Cellpose 3 or older, which Cellpose 4 cannot "
            "load: use cpsam_v2, which segments nuclei and whole cells alike"
        )
    if model.startswith("cpdino"):
        raise ValueError(f"'{model}' is not supported: use cpsam_v2 or cpsam")
    if model not in MODELS and Path(model).name == model and not Path(model).suffix:
        raise ValueError(
            f"there is no model '{model}': use one of {', '.join(MODELS)}, or the path "
            f"of a weights file (./{model} if it lies in the current folder)"
        )
    return model


def models_folder() -> Path:
    """Where Cellpose keeps its built-in models on this machine."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".cellpose" / "models"


def weights_path(model: str) -> Path:
    """Where the weights of a model are looked for; they need not be there."""
    if model in MODELS:
        return (models_folder() / model).absolute()
    return Path(model).expanduser().absolute()


def require_weights(model: str) -> Path:
    """The weights file of a model.

    Args:
        model: One of :data:`MODELS`, or the path of a weights file.

    Raises:
        ConfigError: The file is missing, or was not downloaded to its end.
    """
    path = weights_path(model)
    if not path.is_file():
        raise _missing(model, path)
    # Torch's format is a zip archive, whose directory comes last.
    if not zipfile.is_zipfile(path):
        again = f" kedro cyto weights fetch {model}" if model in MODELS else ""
        raise ConfigError(
            "The weights file is no whole file of torch: it may have been cut short, "
            "or be a Git LFS pointer",
            where=f"{path} ({path.stat().st_size} bytes)",
            fix=f"delete it and fetch it again{':' if again else ''}{again}",
        )
    return path


def _missing(model: str, path: Path) -> ConfigError:
    if model not in MODELS:
        return ConfigError(
            "The weights file of Cellpose is missing",
            where=f"segmentation.<role>.method.model: {path}",
            fix=f"name an existing file, or one of {', '.join(MODELS)}",
        )
    chosen = os.environ.get(FOLDER_VARIABLE)
    looked = f"set to {chosen}" if chosen else "not set: the default folder is used"
    return ConfigError(
        f"The weights of Cellpose's model '{model}' are not on this machine, and a run "
        "never downloads them",
        where=f"{path} ({FOLDER_VARIABLE} is {looked})",
        fix=f"kedro cyto weights fetch {model} (1.2 GB, once, where there is a "
        f"network), or set {FOLDER_VARIABLE} to a folder that holds the file '{model}'",
    )
