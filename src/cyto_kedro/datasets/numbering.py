"""The frame number in file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cyto_kedro.core.errors import InputError

_NUMBER = re.compile(r"\d+")


def frame_order(files: Sequence[Path]) -> list[Path]:
    """Files in the order of the one number that differs between their names.

    Raises:
        InputError: The names have no common pattern, several numbers differ, or a
            number is missing or occurs twice.
    """
    if len(files) == 1:
        return list(files)
    patterns = {_NUMBER.sub("#", path.stem) for path in files}
    if len(patterns) > 1:
        shown = ", ".join(sorted(patterns)[:3])
        raise InputError(
            f"The files are not one sequence, their names differ: {shown}",
            where=str(files[0].parent),
            fix="narrow the glob of this channel in globals.yml",
        )
    rows = [[int(n) for n in _NUMBER.findall(path.stem)] for path in files]
    columns = list(zip(*rows, strict=True))
    varying = [k for k, column in enumerate(columns) if len(set(column)) > 1]
    if len(varying) > 1:
        raise InputError(
            f"{len(varying)} numbers differ between the file names: which one is the "
            "frame?",
            where=f"{files[0]} ... {files[-1]}",
            fix="narrow the glob of this channel so that only the frame number differs",
        )
    numbers = columns[varying[0]] if varying else (0,) * len(files)
    _check_contiguous(numbers, files)
    order = sorted(range(len(files)), key=lambda k: numbers[k])
    return [files[k] for k in order]


def _check_contiguous(numbers: Sequence[int], files: Sequence[Path]) -> None:
    found = set(numbers)
    if len(found) < len(numbers):
        twice = sorted(n for n in found if list(numbers).count(n) > 1)
        raise InputError(
            f"Frame number {twice[0]} occurs in several file names",
            where=str(files[0].parent),
            fix="remove the copies, or narrow the glob",
        )
    missing = sorted(set(range(min(found), max(found))) - found)
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (" ..." if len(missing) > 5 else "")
        raise InputError(
            f"{len(missing)} frame(s) are missing between {min(found)} and "
            f"{max(found)}: {shown}",
            where=str(files[0].parent),
            fix="restore the files, or number the remaining ones without gaps",
        )
