"""`python -m tests.soak [--rounds 200]`: the same work again and again; fails when anything keeps growing."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from tests.soak.work import Figures, grown, soak, trends


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    application = QApplication.instance() or QApplication([])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begun, figures = time.monotonic(), list[Figures]()
    with tempfile.TemporaryDirectory(prefix="mer-soak-") as folder, suppress(KeyboardInterrupt):
        for number, found in enumerate(soak(rounds, Path(folder)), start=1):
            figures.append(found)
            if number in (1, 2, 5) or number % 10 == 0:
                print(
                    f"{number:4}  {found.memory:7.1f} MB  {found.files} files  {found.threads} threads  "
                    f"{found.temporary} temporary files  {found.widgets} widgets",
                    flush=True,
                )
    del application
    print(f"{len(figures)} rounds in {time.monotonic() - begun:.0f} s; medians of the second and of the last quarter:")
    for name, (early, late) in trends(figures).items():
        print(f"  {name:10} {early:8.1f} → {late:.1f}")
    complaints = grown(figures)
    print("\n".join(complaints) or "nothing grows")
    return len(complaints) > 0 or len(figures) < rounds


if __name__ == "__main__":
    sys.exit(main())
