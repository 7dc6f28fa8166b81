"""The log of the program: what goes in, what stays out, and that it never grows or gets in the way."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from app.core.user_files import log_folder
from app.diagnostics import report
from app.io import log

ROOT = Path(__file__).parents[2]
START = "from app.__main__ import main; main()"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def begun(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The log, open; it is closed again afterwards, as the tests go on."""
    monkeypatch.setattr(log, "_watch", lambda path: None)  # crashes of the tests are pytest's
    root = logging.getLogger()
    before = list(root.handlers)
    log.begin(["propagate", "film.mp4"])
    yield log_folder() / log.NAME
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    logging.getLogger("mer").setLevel(logging.NOTSET)
    logging.captureWarnings(False)


def mer(
    home: Path, *arguments: str, code: str = "from app.__main__ import main; main()"
) -> subprocess.CompletedProcess:
    """The program in a process of its own, where it begins its log itself."""
    environment = {**os.environ, "MER_HOME": str(home), "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-c", code, *arguments]
    return subprocess.run(call, cwd=home.parent, env=environment, capture_output=True, text=True)


def test_it_says_what_started_where_and_how_it_ended(home: Path) -> None:
    done = mer(home, "propagate", "nowhere.mp4", "--labels", "a.png", "--out", "out")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1  # the log is no reason to say more
    text = (home / "log" / "mer.log").read_text(encoding="utf-8")
    assert "mer propagate nowhere.mp4" in text and f"Python {sys.version.split()[0]}" in text and "torch 2" in text
    assert "told: nowhere.mp4 does not exist" in text and text.rstrip().endswith("end with exit code 2")


def test_where_an_error_came_from_is_in_it(begun: Path) -> None:
    try:
        raise KeyError("a bug")
    except KeyError as error:
        logging.getLogger("mer").error("an error of the program", exc_info=error)
    text = begun.read_text(encoding="utf-8")
    assert "KeyError: 'a bug'" in text and "test_log.py" in text


def test_a_crash_below_python_is_told_at_the_next_start(home: Path) -> None:
    crash = "from app.io.log import begin; begin([]); import faulthandler; faulthandler._sigabrt()"
    assert mer(home, code=crash).returncode < 0
    mer(home, "--version")
    text = (home / "log" / "mer.log").read_text(encoding="utf-8")
    assert "an earlier run died:\nFatal Python error: Aborted" in text
    mer(home, "--version")
    assert (home / "log" / "mer.log").read_text(encoding="utf-8").count("an earlier run died") == 1  # and only once


def test_it_is_bounded(begun: Path) -> None:
    for number in range(60):
        logging.getLogger("mer").info("%d %s", number, "x" * (log.SIZE // 8))
    files = sorted(begun.parent.glob("mer.log*"))
    assert len(files) == 1 + log.KEPT
    assert all(file.stat().st_size <= log.SIZE for file in files)
    assert "59 xxx" in begun.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_no_reason_to_fail(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = log._LogFile("/dev/full", maxBytes=log.SIZE, backupCount=1, encoding="utf-8")
    handler.emit(logging.LogRecord("mer", logging.INFO, __file__, 1, "x" * 100_000, (), None))
    assert capsys.readouterr().err == ""
    stream, handler.stream = handler.stream, None
    with suppress(OSError):
        stream.close()


def test_a_home_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    done = mer(tmp_path / "home", "--version")
    assert done.returncode == 0 and done.stdout.startswith("mer ") and done.stderr == ""


def test_names_that_are_no_text_are_written_all_the_same(begun: Path) -> None:
    logging.getLogger("mer").info("opened %s", os.fsdecode(b"caf\xe9.mp4"))
    assert "caf\\udce9.mp4" in begun.read_text(encoding="utf-8")


def test_a_report_has_the_machine_the_actions_and_the_end_of_the_log(begun: Path) -> None:
    logging.getLogger("mer").warning("told: %s", Path.home() / "film.mp4")
    text = report(["10:00:00 tool.brush"], [("screen", "1920×1080")])
    for words in ("MER Studio: ", "screen: 1920×1080", "torch: ", "memory: ", "  10:00:00 tool.brush", "mer propagate"):
        assert words in text
    assert str(Path.home() / "film.mp4") not in text and "~/film.mp4" in text  # it does not say who you are


def test_without_a_log_there_is_a_report_all_the_same(home: Path) -> None:
    assert "there is none" in report()
    assert log.tail() == ""


def test_only_the_end_of_a_long_log_is_told(begun: Path) -> None:
    for number in range(1000):
        logging.getLogger("mer").info("line %d", number)
    lines = log.tail(50).splitlines()
    assert len(lines) == 50 and lines[-1].endswith("line 999")


MANY = """
import logging, sys, time
from app.io import log
log.SIZE, log.KEPT = 8000, 30
log._watch = lambda path: None
log.join(f"worker {sys.argv[1]}")
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    logging.getLogger("mer.batch").info("worker %s says %03d %s.", sys.argv[1], number, "x" * 60)
    time.sleep(0.0005)  # let the others come in between
"""


def test_several_processes_write_to_it_and_nothing_is_lost(home: Path) -> None:
    """Rotated by whoever finds it full; the others go on in the new one."""
    environment = {**os.environ, "MER_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command, pipe = [sys.executable, "-c", MANY], subprocess.PIPE
    with ExitStack() as stack:
        working = [
            stack.enter_context(subprocess.Popen([*command, str(n)], env=environment, stdin=pipe, stdout=pipe))
            for n in range(3)
        ]
        for process in working:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        for process in working:  # all at the same time
            assert process.stdin is not None
            process.stdin.close()
        assert [process.wait(timeout=120) for process in working] == [0, 0, 0]
    latest, *files = sorted(home.glob("log/mer.log*"))
    assert len(files) >= 3 and all(7500 < file.stat().st_size < 8500 for file in files), "set aside when full, once"
    lines = [line for file in (latest, *files) for line in file.read_text(encoding="utf-8").splitlines()]
    said = [match.groups() for line in lines if (match := re.search(r"worker (\d) says (\d{3}) x{60}\.$", line))]
    assert sorted(said) == [(str(n), f"{number:03d}") for n in range(3) for number in range(100)]
    assert len(lines) == 3 * 101 and all(f"for process {os.getpid()}" in line for line in lines if "says" not in line)
