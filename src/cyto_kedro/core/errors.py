"""The error family: each message says what is wrong, where, and what to do."""

from __future__ import annotations


class CytoError(Exception):
    """Base of every error that cyto_kedro raises on purpose.

    Args:
        what: What is wrong, one sentence.
        where: The dataset, file, frame or parameter concerned.
        fix: What the user can do about it.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        lines = [what]
        if where:
            lines.append(f"  where: {where}")
        if fix:
            lines.append(f"  what to do: {fix}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments survive pickling between worker processes.
        return _rebuild, (type(self), self.what, self.where, self.fix)


def first_line(error: CytoError) -> str:
    """What is wrong, as far as it fits into a list."""
    return error.what.partition("\n")[0]


def _rebuild(kind: type[CytoError], what: str, where: str, fix: str) -> CytoError:
    return kind(what, where=where, fix=fix)


class ConfigError(CytoError):
    """A parameter, global, catalog entry or sheet is wrong."""


class InputError(CytoError):
    """A raw file or an input table cannot be used."""


class FrameError(CytoError):
    """Work on one frame failed; ``where`` names the frame and the dataset."""


class StorageError(CytoError):
    """A place cannot be written: a raw root, a full disk, a lock held elsewhere."""


class MoviesFailed(CytoError):
    """Some movies of the experiment failed while the others were completed."""
