"""`python -m tests.fuzz`: spoilt files of every kind, by the thousand.

python -m tests.fuzz [--inputs 150] [--seconds 60] [--seed WORD] [TARGET …]
python -m tests.fuzz --seed WORD coco:17        # that one input again
"""

from __future__ import annotations

import argparse
import math
import secrets
import sys
import time
from contextlib import suppress

from tests.fuzz.run import Figures, fuzz
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", help="all, if none is named; NAME:NUMBER is one input")
    parser.add_argument("--inputs", type=int, default=150, help="of each target")
    parser.add_argument("--seconds", type=float, default=math.inf, help="not longer than that")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="equal seeds make equal inputs")
    given = parser.parse_args()
    begun, found = time.monotonic(), dict[str, Figures]()
    print(f"seed {given.seed}", flush=True)
    with suppress(KeyboardInterrupt):
        fuzz([_job(name, given.inputs) for name in given.targets or TARGETS], given.seed, found, given.seconds)
    _print(found, time.monotonic() - begun)
    return any(figures.defects for figures in found.values())


def _job(name: str, inputs: int) -> tuple[str, int, int]:
    name, one, number = name.partition(":")
    if name not in TARGETS:
        sys.exit(f"there is no target {name!r}: {', '.join(TARGETS)}")
    return (name, int(number), 1) if one else (name, 0, max(1, inputs // TARGETS[name].cost))


def _print(found: dict[str, Figures], seconds: float) -> None:
    for figures in found.values():
        for name, why in figures.defects.items():
            print(f"\n{name}\n  " + why.strip().replace("\n", "\n  "))
    print(f"\n{'target':16}{'inputs':>8}{'refused':>9}{'accepted':>10}{'worst s':>9}{'worst MB':>10}{'defects':>9}")
    for name, f in found.items():
        row = (f.inputs, f.refused, f.accepted, f"{f.seconds:.2f}", f.bytes >> 20, len(f.defects))
        print(f"{name:16}{row[0]:8}{row[1]:9}{row[2]:10}{row[3]:>9}{row[4]:10}{row[5]:9}")
    inputs, defects = sum(f.inputs for f in found.values()), sum(len(f.defects) for f in found.values())
    print(f"{inputs} inputs in {seconds:.0f} s, {defects} defects")


if __name__ == "__main__":
    sys.exit(main())
