"""Memory and time as sbatch writes them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

_MEM = re.compile(r"^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$|^(\d+)([KMGT])i$", re.I)
_TO_MIB = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "": 1.0}
_TIME = re.compile(r"^(?:(?P<days>\d+)-)?(?P<clock>\d+(?::\d+){0,2})$")


def parse_mem(value: object) -> int:
    """MiB of ``8G``, ``8Gi``, ``8192M`` or a plain number of MiB, as sbatch.

    Raises:
        ValueError: It is nothing of that, or zero, which sbatch takes for a whole node.
    """
    match = _MEM.match(str(value).strip())
    if match is None:
        raise ValueError(f"'{value}' is not an amount of memory such as 8G or 8192M")
    number, unit = match[1] or match[3], match[2] or match[4] or ""
    mib = float(number) * _TO_MIB[unit.upper()]
    if mib <= 0:
        raise ValueError("0 would ask for all memory of a node: name an amount")
    return max(1, round(mib))


def mem_text(mib: int) -> str:
    """MiB for sbatch."""
    return f"{mib // 1024}G" if mib % 1024 == 0 else f"{mib}M"


def parse_time(value: object) -> int:
    """Seconds of ``MM``, ``MM:SS``, ``HH:MM:SS``, ``D-HH[:MM[:SS]]``, as sbatch.

    Raises:
        ValueError: It is nothing of that, or a number: YAML makes one of an unquoted
            ``10:00:00`` (36000, which sbatch would take for minutes).
    """
    if not isinstance(value, str):
        raise ValueError(
            f"{value!r} arrived as a number (YAML reads 10:00:00 without quotes as "
            "36000): write the time in quotes, such as '10:00:00', or '30' for minutes"
        )
    match = _TIME.match(value.strip())
    parts = [int(part) for part in match["clock"].split(":")] if match else []
    if match is None or (match["days"] is None and not any(parts)):
        raise ValueError(f"'{value}' is not a time such as 30, 04:00:00 or 2-12:00:00")
    if match["days"] is not None:
        hours, minutes, seconds = [*parts, 0, 0][:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, minutes, seconds = 0, *[*parts, 0][:2]
    return ((int(match["days"] or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def time_text(seconds: int) -> str:
    """Seconds for sbatch, rounded up to minutes, as SLURM does itself."""
    minutes = -(-seconds // 60)
    days, rest = divmod(minutes, 24 * 60)
    clock = f"{rest // 60:02d}:{rest % 60:02d}:00"
    return f"{days}-{clock}" if days else clock


Mem = Annotated[int, BeforeValidator(parse_mem)]
Time = Annotated[int, BeforeValidator(parse_time)]
