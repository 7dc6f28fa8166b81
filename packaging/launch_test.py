"""Tries out a bundle: its window does the main job on the sample, its commands run, its workers start.

    python packaging/launch_test.py [EXECUTABLE]

Nothing is shown on the screen, and nothing of the user's is touched. The exit code is 0 if all went well.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIST = Path(__file__).parents[1] / "dist"
EXECUTABLE = {"win32": DIST / "mer-studio/mer.exe", "darwin": DIST / "MER Studio.app/Contents/MacOS/mer"}.get(
    sys.platform, DIST / "mer-studio/mer"
)
FRAMES = 6  # one is labelled, five are propagated
PATIENCE = 900  # seconds for one command, on a busy machine


class Bundle:
    """The executable, in a folder for all that it writes. Its name is one that programs stumble over."""

    def __init__(self, executable: Path, folder: Path) -> None:
        self.executable, self.folder = executable.resolve(), folder / "mér und ミル"
        self.folder.mkdir()
        # No Python, and no environment, from which a library that the bundle lacks could come.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "QT_", "MER_"))}
        self.environment = kept | {"QT_QPA_PLATFORM": "offscreen", "MER_HOME": str(self.folder / "home")}
        if os.name == "posix":
            self.environment["PATH"] = "/usr/bin:/bin"

    def run(self, *arguments: str) -> str:
        """What a command printed. AssertionError if it does not end with code 0."""
        begun = time.monotonic()
        done = subprocess.run(
            [self.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
        )
        words = " ".join(["mer", *arguments])
        assert done.returncode == 0, f"{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        print(f"{words}: {time.monotonic() - begun:.1f} s", flush=True)
        return done.stdout

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            [self.executable, *arguments], cwd=self.folder, env=self.environment, stderr=subprocess.PIPE
        ) as child:
            try:
                yield child
            finally:
                if child.poll() is None:
                    child.kill()


def check_commands(bundle: Bundle) -> None:
    assert bundle.run("--version").startswith("mer ")
    assert "missing" not in bundle.run("doctor")
    bundle.run("demo", "--frames", "3", "--size", "48")
    assert (bundle.folder / "demo" / "contact_sheet.png").is_file()


def check_window(bundle: Bundle) -> None:
    """Open the sample, label its first frame, propagate to five others, correct one, export."""
    told = bundle.run("demo", "--window", "--out", "tour", "--frames", str(FRAMES), "--size", "96")
    assert f"propagated, {FRAMES - 1} frames" in told, told
    masks = list((bundle.folder / "tour" / "masks").rglob("*.png"))
    assert len(masks) == FRAMES, masks


def check_workers(bundle: Bundle) -> None:
    """Train for two steps, with two processes that prepare samples: the executable starts itself for them."""
    (bundle.folder / "footage").mkdir()
    (bundle.folder / "tour" / "sample.mp4").rename(bundle.folder / "footage" / "sample.mp4")
    sizes = ("--steps", "2", "--batch", "2", "--crop", "64", "--workers", "2")
    bundle.run("train", "footage", "--recipe", "mast", "--out", "run", *sizes)
    assert (bundle.folder / "run" / "encoder.pt").is_file()


def check_end(bundle: Bundle) -> None:
    """Open a video as a double click does, and end when told to."""
    unsaved = bundle.folder / "home" / "unsaved"
    with bundle.running(str(bundle.folder / "footage" / "sample.mp4")) as child:
        deadline = time.monotonic() + PATIENCE
        while not (unsaved.is_dir() and any(unsaved.iterdir())):
            assert child.poll() is None and time.monotonic() < deadline, "the window did not open the video"
            time.sleep(0.1)
        child.send_signal(signal.SIGTERM)
        _, errors = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0, f"exit code {child.returncode}\n{errors.decode('utf-8', 'replace')}"
    print("mer VIDEO: opened, and ended when told to", flush=True)


def main(executable: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mer-launch-") as folder:
        bundle = Bundle(executable, Path(folder))
        check_commands(bundle)
        check_window(bundle)
        check_workers(bundle)
        if os.name == "posix":  # elsewhere nothing can tell a window to end from outside
            check_end(bundle)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EXECUTABLE)
