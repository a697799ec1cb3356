"""Options and arguments that commands share, with their shell completion.

Completion never fails and never runs anything: what cannot be read is not offered.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


def complete_env(
    ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem]:
    """Names of the environments of conf/."""
    from cyto_kedro.config import environments

    return _offered(environments(_project(ctx) / "conf"), text)


def complete_run(
    ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem]:
    """Ids of runs, newest first, with their workflow."""
    from cyto_kedro.cli.runs import all_runs

    with suppress(Exception):
        found = all_runs(_loader(ctx).layout)
        return [
            CompletionItem(run, help=found[run].parent.name)
            for run in sorted(found, reverse=True)
            if run.startswith(text)
        ]
    return []


def complete_movie(
    ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem]:
    """Movies of the sheet."""
    with suppress(Exception):
        return _offered(_loader(ctx).experiment.ids, text)
    return []


def complete_pipeline(
    ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem]:
    """Names of the pipelines; of a list with commas the last one."""
    from cyto_kedro.pipeline_registry import pipeline_names

    before, comma, last = text.rpartition(",")
    return [
        CompletionItem(before + comma + item.value)
        for item in _offered(pipeline_names(), last)
    ]


def complete_runner(
    ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem]:
    """Runners of Kedro and of this project."""
    return _offered(RUNNERS, text)


#: What `kedro run --runner` takes here, by the words for it.
RUNNERS = (
    "cyto_kedro.runners.AllocationRunner",
    "cyto_kedro.runners.SlurmRunner",
    "SequentialRunner",
    "ThreadRunner",
)

run_argument = click.argument("run_id", default="last", shell_complete=complete_run)
env_option = click.option(
    "--env",
    "-e",
    default=None,
    help="Kedro environment.",
    shell_complete=complete_env,
)
movie_option = click.option(
    "--movie",
    default=None,
    help="One movie; all of the run by default.",
    shell_complete=complete_movie,
)
json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")


def _offered(names: Iterable[str], text: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(text)]


def _project(ctx: click.Context) -> Path:
    path = getattr(ctx.find_root().obj, "project_path", None)
    return Path(path or Path.cwd())


def _loader(ctx: click.Context) -> Any:
    from cyto_kedro.config import CytoConfigLoader

    return CytoConfigLoader(
        str(_project(ctx) / "conf"),
        env=ctx.params.get("env"),
        base_env="base",
        default_run_env="local",
    )
