"""`kedro cyto --help`: commands by what one wants to do."""

from __future__ import annotations

import click

#: Commands by purpose, in the order in which a user meets them.
SECTIONS = {
    "Before a run": ("doctor", "example", "init", "ingest", "weights", "preview"),
    "While it runs, and if it failed": ("status", "logs", "cancel", "resume", "prune"),
    "With its results": ("events", "export", "verify", "crate", "collect"),
    "Room on the disks": ("promote", "purge", "rotate", "du"),
    "Moving in from pyCyto": ("run-yaml", "import-yaml", "import-toml"),
}
_OTHER = "Further"
# A line of help is wrapped, not cut.
_WHOLE = 200


class SectionedGroup(click.Group):
    """A group whose help lists commands under headings, each with its whole line."""

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the sections; a command that is in none comes last."""
        known = {name for names in SECTIONS.values() for name in names}
        rest = tuple(name for name in self.list_commands(ctx) if name not in known)
        for title, names in (SECTIONS | {_OTHER: rest}).items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [
                (name, command.get_short_help_str(_WHOLE))
                for name, command in commands
                if command is not None and not command.hidden
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
