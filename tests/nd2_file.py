"""Writes small ND2 files as NIS-Elements lays them out (version 3), for tests.

A file is a row of named chunks: metadata in Nikon's binary tree (`LV`), one chunk per
frame, a map of all chunks at the end. Only what a reader needs is written.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_MAGIC = 0x0ABECEDA
_FIRST = b"ND2 FILE SIGNATURE CHUNK NAME01!"
_MAP = b"ND2 FILEMAP SIGNATURE NAME 0001!"
_LAST = b"ND2 CHUNK MAP SIGNATURE 0000001!"
_NAME_BYTES = 4072  # header, name and the time of a frame fill a page of 4096
_TIME, _POSITIONS, _STACK = 1, 2, 4  # kinds of loop
_JULIAN_1970 = 2440587.5


def write_nd2(
    path: Path,
    pixels: np.ndarray,
    channels: Sequence[str],
    positions: Sequence[str],
    times_ms: np.ndarray,
    pixel_um: float | None,
) -> Path:
    """Write a movie.

    Args:
        path: The file.
        pixels: uint16, axes T, position, Z, C, Y, X.
        channels: Names.
        positions: Names; with a single one the file has no loop over positions.
        times_ms: Since the start, axes T, position, Z.
        pixel_um: Width of a pixel; None: the microscope was not calibrated.
    """
    *loops, n_channels, height, width = pixels.shape
    frames = pixels.reshape(-1, n_channels, height, width)
    chunks = {
        b"ImageAttributesLV!": _tree(
            "SLxImageAttributes",
            {
                "uiWidth": width,
                "uiWidthBytes": width * n_channels * 2,
                "uiHeight": height,
                "uiComp": n_channels,
                "uiBpcInMemory": 16,
                "uiBpcSignificant": 16,
                "uiSequenceCount": len(frames),
                "eCompression": 2,
            },
        ),
        b"ImageMetadataLV!": _tree(
            "SLxExperiment", _experiment(loops, positions, times_ms)
        ),
        b"ImageMetadataSeqLV|0!": _tree(
            "SLxPictureMetadata", _picture(channels, pixel_um)
        ),
        b"CustomData|AcqTimesCache!": times_ms.astype("<f8").tobytes(),
    }
    for number, frame in enumerate(frames):
        planes = np.ascontiguousarray(np.moveaxis(frame, 0, -1), dtype="<u2")
        stamp = struct.pack("<d", times_ms.ravel()[number])
        chunks[f"ImageDataSeq|{number}!".encode()] = stamp + planes.tobytes()
    path.write_bytes(_file(chunks))
    return path


def _experiment(
    loops: Sequence[int], positions: Sequence[str], times_ms: np.ndarray
) -> dict:
    """The loops of the acquisition, the slowest one outside."""
    n_times, n_positions, n_planes = loops
    found: list[dict] = []
    if n_times > 1:
        period = float(np.diff(times_ms[:, 0, 0]).mean())
        told = {"dStart": 0.0, "dPeriod": period, "dDuration": period * n_times}
        found.append({"eType": _TIME, "uLoopPars": {"uiCount": n_times} | told})
    if n_positions > 1:
        points = [
            {"dPosX": 100.0 * i, "dPosY": 0.0, "dPosZ": 0.0, "dPosName": name}
            for i, name in enumerate(positions)
        ]
        pars = {"uiCount": n_positions, "Points": points}
        found.append({"eType": _POSITIONS, "uLoopPars": pars})
    if n_planes > 1:
        pars = {"uiCount": n_planes, "dZLow": 0.0, "dZHigh": n_planes - 1.0}
        found.append({"eType": _STACK, "uLoopPars": pars | {"dZStep": 1.0}})
    tree: dict = {}
    for loop in reversed(found):
        tree = loop | ({"ppNextLevelEx": [tree]} if tree else {})
    return tree


def _picture(channels: Sequence[str], pixel_um: float | None) -> dict:
    plane = {"uiCompCount": 1, "pFluorescentProbe": {"m_sName": ""}}
    planes = {
        f"a{i}": plane | {"uiSampleIndex": i, "sDescription": name}
        for i, name in enumerate(channels)
    }
    return {
        "dTimeAbsolute": _JULIAN_1970 + 20000.25,
        "bCalibrated": pixel_um is not None,
        "dCalibration": -1.0 if pixel_um is None else pixel_um,
        "sPicturePlanes": {"uiCount": len(channels), "sPlaneNew": planes},
    }


# -- Nikon's tree: type, name, value; a level is counted, measured, ends in offsets ---


def _tree(name: str, value: object) -> bytes:
    head = (name + "\0").encode("utf-16-le") if name else b"\0\0"
    length = len(head) // 2
    if isinstance(value, bool):
        return bytes([1, length]) + head + struct.pack("<B", value)
    if isinstance(value, int):
        return bytes([3, length]) + head + struct.pack("<I", value)
    if isinstance(value, float):
        return bytes([6, length]) + head + struct.pack("<d", value)
    if isinstance(value, str):
        return bytes([8, length]) + head + (value + "\0").encode("utf-16-le")
    if isinstance(value, list):
        items = [_tree("", item) for item in value]
    else:
        assert isinstance(value, dict)
        items = [_tree(key, item) for key, item in value.items()]
    body = b"".join(items)
    start = 2 + len(head) + 12
    level = bytes([11, length]) + head
    level += struct.pack("<IQ", len(items), start + len(body)) + body
    offsets = np.cumsum([start, *map(len, items)])[:-1]
    return level + struct.pack(f"<{len(items)}Q", *offsets)


# -- the file -------------------------------------------------------------------------


def _file(chunks: dict[bytes, bytes]) -> bytes:
    out = bytearray(_chunk(_FIRST, b"Ver3.0".ljust(64, b"\0"), len(_FIRST)))
    table = b""
    for name, data in chunks.items():
        table += name + struct.pack("<QQ", len(out), len(data))
        out += _chunk(name, data, _NAME_BYTES)
    at = len(out)
    out += _chunk(_MAP, table + _LAST + struct.pack("<Q", at), _NAME_BYTES)
    return bytes(out + _LAST + struct.pack("<Q", at))


def _chunk(name: bytes, data: bytes, name_bytes: int) -> bytes:
    head = struct.pack("<IIQ", _MAGIC, name_bytes, len(data))
    return head + name.ljust(name_bytes, b"\0") + data
