"""Kedro settings of the project: wiring only."""

from cyto_kedro.config import CytoConfigLoader
from cyto_kedro.hooks import PreflightHooks, ProvenanceHooks, RunMetadataHooks
from cyto_kedro.session import CytoSession

SESSION_CLASS = CytoSession
CONFIG_LOADER_CLASS = CytoConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {
        "slurm": ["slurm*"],
        "execution": ["execution*"],
        "allocation": ["allocation*"],
    },
    "merge_strategy": {"slurm": "soft", "execution": "soft", "allocation": "soft"},
}
_run = RunMetadataHooks()
HOOKS = (PreflightHooks(), _run, ProvenanceHooks(_run))
# Nothing is reported to anybody.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
