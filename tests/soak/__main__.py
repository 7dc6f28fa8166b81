"""`python -m tests.soak [--rounds 200] [--seconds 500]`: the same work again and again. Fails when anything grows."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from tests.soak.work import Figures, grown, soak, trends


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no round after that")
    given = parser.parse_args()
    application = QApplication.instance() or QApplication([])
    begun, figures = time.monotonic(), list[Figures]()
    with tempfile.TemporaryDirectory(prefix="mer-soak-") as folder, closing(soak(given.rounds, Path(folder))) as work:
        for number, found in enumerate(work, start=1):
            figures.append(found)
            if number in (1, 2, 5) or number % 10 == 0:
                print(
                    f"{number:4}  {found.memory:7.1f} MB  {found.files} files  {found.threads} threads  "
                    f"{found.temporary} temporary files  {found.widgets} widgets  {found.videos} videos",
                    flush=True,
                )
            if time.monotonic() - begun > given.seconds:
                break
    del application
    print(f"{len(figures)} rounds in {time.monotonic() - begun:.0f} s; first half's most → last quarter's median:")
    for name, (early, late) in trends(figures).items():
        print(f"  {name:10} {early:8.1f} → {late:.1f}")
    complaints = grown(figures)
    print("\n".join(complaints) or "nothing grows")
    return len(complaints) > 0


if __name__ == "__main__":
    sys.exit(main())
