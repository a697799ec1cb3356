"""Results tables of the methods, measured and written into the README and the docs.

    python benchmarks/methods_table.py [--data DIR] [--only segmentation ...] [--print]

Each script named below offers ``blocks(data)``. DIR holds the real data; without it
only blocks of simulated data are made, and the others stay as they are. killing_limits
takes half an hour.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import _blocks  # noqa: E402

#: Scripts of this folder that own blocks, in the order of the pipeline.
SCRIPTS = (
    "registration",
    "segmentation",
    "tiling",
    "tracking",
    "tracking_options",
    "example_truth",
    "killing_limits",
)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the real data")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS)
    parser.add_argument("--print", action="store_true", help="leave the pages alone")
    asked = parser.parse_args()
    for script in asked.only:
        for block in import_module(script).blocks(asked.data):
            print(f"{block.page}: {block.name}\n\n{block.markdown}\n", flush=True)
            if not asked.print:
                _blocks.write(block)


if __name__ == "__main__":
    main()
