"""The start of the window."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from app import __version__

TURN = 0.001
"""Seconds for which another thread keeps Python's lock when the window's wants it. Each event takes it many times, so
Python's usual 5 ms would be felt wherever a thread works in Python itself, as it does while torch is imported."""

_OPENCV_SETS = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def start(path: Path | None = None, weights: str | None = None, device: str | None = None) -> int:
    """Open the window, and in it a video, a folder of frames or a project; the exit code, once it is closed.

    weights, device: as `model.features.load_extractor` takes them. ValueError where there is no display.
    """
    check_display()
    free_from_opencv()
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QApplication

    from app.controllers.diagnostics import log_qt
    from app.controllers.file_events import FileEvents
    from app.controllers.studio import Studio
    from app.core.settings import Settings
    from app.views import i18n
    from app.views.theme import Theme
    from model.resources import resource

    log_qt()
    sys.setswitchinterval(TURN)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("mer-studio")
    app.setApplicationDisplayName("MER Studio")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("mer-studio")
    app.setWindowIcon(QIcon(str(resource("icons/mer-studio.svg"))))
    settings = Settings()
    i18n.install(app, settings["language"])
    studio = Studio(settings, weights, device, Theme(app))
    studio.crashes.install()
    if sys.platform == "darwin":
        app.installEventFilter(FileEvents(studio.opening.open, app))

    def end(*_: object) -> None:
        studio.close(keep=True)
        app.quit()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)  # heard at the next tick of a timer, of which there is always one
    studio.show(None if path is None else path.absolute())
    return app.exec()


def free_from_opencv() -> None:
    """OpenCV's wheel points Qt at plugins of its own, of another Qt: undo that before Qt looks."""
    import cv2

    home = str(Path(cv2.__file__).parent)
    for name in _OPENCV_SETS:
        if os.environ.get(name, "").startswith(home):
            del os.environ[name]


def check_display() -> None:
    """ValueError where no window can be shown: Qt would end the program without a clear word."""
    platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0]
    if not sys.platform.startswith("linux") or platform not in ("", "xcb", "wayland"):
        return
    wayland, x11 = os.environ.get("WAYLAND_DISPLAY"), os.environ.get("DISPLAY")
    if (wayland and _answers(_wayland_socket(wayland))) or (x11 and _x11_answers(x11)):
        return
    what = f"display {wayland or x11} does not answer" if wayland or x11 else "there is no display here"
    raise ValueError(f"{what}: start mer on a desktop, or use its commands without a window (mer --help)")


def _wayland_socket(name: str) -> str:
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR", ""), name)


def _x11_answers(display: str) -> bool:
    host, _, rest = display.rpartition(":")
    number = rest.partition(".")[0]
    if not number.isdigit():
        return False
    if host.partition("/")[0] in ("", "unix"):
        name = f"/tmp/.X11-unix/X{number}"
        return _answers(name) or _answers(f"\0{name}")
    try:
        socket.create_connection((host.partition("/")[2] or host, 6000 + int(number)), timeout=2).close()
    except OSError:
        return False
    return True


def _answers(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(address)
        except OSError:
            return False
    return True
