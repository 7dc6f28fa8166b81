"""No data leaves the machine: the command line, the window and a training work while every connection is refused.

An audit hook sees what Python asks the system for, in whatever library. What a library does on its own below Python it
cannot see; the last test looks at what could be told to.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from app.__main__ import run
from tests.corpora import options, register, write_corpus
from tests.windows import FRAMES, Desk, desk, home

__all__ = ["desk", "home"]

ROOT = Path(__file__).parents[2]
ASKS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")
_asked: list[str] | None = None  # while it is a list, connections are refused and noted


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if _asked is None or event not in ASKS:
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], str | bytes):
        return  # a socket of this machine's own file system, as between processes
    _asked.append(f"{event} {arguments[1:] if event.startswith('socket.con') else arguments}")
    raise PermissionError(f"{event} is refused here")


sys.addaudithook(_refuse)  # there is no way to take it away again: it sleeps when no test is offline


@pytest.fixture
def offline() -> Iterator[list[str]]:
    """What was asked of the network: it must stay empty."""
    global _asked
    _asked = []
    try:
        yield _asked
        assert _asked == []
    finally:
        _asked = None


def test_this_would_notice_a_connection(offline: list[str]) -> None:
    import socket
    import urllib.request

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for ask in (
            lambda: socket.create_connection(("127.0.0.1", 9)),
            lambda: urllib.request.urlopen("http://example.org"),
            lambda: line.sendto(b"labels", ("127.0.0.1", 9)),
        ):
            with pytest.raises(OSError, match="refused here"):
                ask()
    assert len(offline) == 3
    offline.clear()


def test_the_demo_and_the_doctor(offline: list[str], tmp_path: Path, home: Path) -> None:
    assert run(["demo", "--out", str(tmp_path / "demo"), "--frames", "3", "--size", "48"]) == 0
    first, film = tmp_path / "demo" / "first_frame.png", tmp_path / "demo" / "sample.mp4"
    assert run(["propagate", str(film), "--labels", str(first), "--out", str(tmp_path / "out")]) == 0
    assert run(["doctor"]) == 0


def test_a_day_at_the_window(offline: list[str], desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.label(0)
    desk.propagate()
    assert desk.studio.saving.save_to(tmp_path / "saved.mer")
    desk.does("file.export")
    dialog = desk.studio.exchanging.dialog
    dialog.choose("coco")
    dialog.path.setText(str(tmp_path / "labels.json"))
    dialog.button.click()
    desk.wait(lambda: dialog.cancel.isVisible())
    desk.does("help.about")
    desk.does("help.keys")
    desk.does("help.diagnostics")
    desk.wait(lambda: any("clipboard" in notice.text for notice in desk.window.notices.notices))
    text = QApplication.clipboard().text()
    assert "MER Studio: " in text and "file.export" in text and f"open: {FRAMES} frames" in text
    assert run(["export", str(tmp_path / "saved.mer"), "--out", str(tmp_path / "masks"), "--format", "davis"]) == 0


def test_a_training(offline: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.training.trainer import train

    register(monkeypatch)
    assert train(options(write_corpus(tmp_path / "corpus"), tmp_path / "run", steps=2)).exists()


# What may speak to something outside the process, and why.
MAY = {
    "app/desktop.py": "socket",  # is there a display that answers?
    "model/flow.py": "torch.hub",  # `fetch_raft`, which nothing but the user calls
    "model/training/distributed.py": "init_process_group",  # the processes of one training, where torchrun names them
}
SPEAKS = re.compile(
    r"^\s*(?:import|from) (?:urllib\.request|http|socket|ssl|ftplib|smtplib|requests|httpx|xmlrpc|webbrowser)\b"
    r"|QtNetwork|torch\.hub|load_state_dict_from_url|urlopen|urlretrieve|from_pretrained|init_process_group"
    r"|Weights\.(?:DEFAULT|[A-Z_]+\b).*\.get_state_dict",
    re.MULTILINE,
)


def test_nothing_else_in_the_program_could() -> None:
    found = {}
    for path in sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "model").rglob("*.py")]):
        if words := SPEAKS.findall(path.read_text(encoding="utf-8")):
            found[path.relative_to(ROOT).as_posix()] = words
    assert set(found) <= set(MAY), {name: words for name, words in found.items() if name not in MAY}


def test_weights_of_others_are_fetched_by_nobody_but_the_user() -> None:
    calls = [
        path.relative_to(ROOT).as_posix()
        for path in sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "model").rglob("*.py")])
        if re.search(r"(?<!def )\bfetch_raft\(", path.read_text(encoding="utf-8"))
    ]
    assert calls == []
