"""How the time of a stage falls with the number of jobs, and whether that is well."""

from cyto_kedro.methods.scaling.fit import fit_scaling
from cyto_kedro.methods.scaling.judge import PASS, Rules, judge
from cyto_kedro.methods.scaling.times import scaling_of, timed_trials

__all__ = ["PASS", "Rules", "fit_scaling", "judge", "scaling_of", "timed_trials"]
