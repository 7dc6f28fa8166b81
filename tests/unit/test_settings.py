"""The user's settings and the list of recent projects: kept, merged, and never a reason not to start."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.core.recent import RecentProjects
from app.core.settings import BY_KEY, SETTINGS, Settings, Topic
from app.core.user_files import config_folder, data_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_users_files_lie_where_mer_home_says_and_else_where_the_system_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config_folder() == data_folder() == home
    monkeypatch.delenv("MER_HOME")
    assert config_folder().name == data_folder().name == "mer-studio"


def test_the_table_holds_together() -> None:
    assert len(BY_KEY) == len(SETTINGS)
    for setting in SETTINGS:
        assert setting.check(setting.default) == setting.default
        assert setting.topic is Topic.HIDDEN or (setting.label and setting.help and not setting.help.endswith("."))


def test_a_choice_lasts_and_the_default_does_not_need_to() -> None:
    settings = Settings()
    settings["theme"] = "dark"
    settings.update({"brush.size": 40, "keys": {"edit.undo": ["F5"]}})
    again = Settings()
    assert (again["theme"], again["brush.size"], again["keys"]) == ("dark", 40, {"edit.undo": ["F5"]})
    assert again["device"] == "auto" and again.notes == ()
    again.reset("theme")
    again["brush.size"] = BY_KEY["brush.size"].default
    assert json.loads(again.path.read_text()) == {"keys": {"edit.undo": ["F5"]}}
    assert Settings()["theme"] == "system"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("theme", "pink", "system, dark, light, not 'pink'"),
        ("theme", 1, "a text, not 1"),
        ("brush.size", 0, "from 1 to 1000, not 0"),
        ("brush.size", 2.5, "a whole number"),
        ("brush.size", True, "a whole number"),
        ("overlay.opacity", float("nan"), "from 0 to 1"),
        ("overlay.contours", 1, "true or false"),
        ("keys", [], "an object"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(key: str, value: Any, message: str) -> None:
    settings = Settings()
    with pytest.raises(ValueError, match=message):
        settings.update({"device": "cpu", key: value})
    assert settings["device"] == "auto" and not settings.path.exists()


def test_a_whole_number_will_do_for_a_fraction() -> None:
    settings = Settings()
    settings["overlay.opacity"] = 1
    assert isinstance(Settings()["overlay.opacity"], float)


def test_what_is_handed_out_is_a_copy() -> None:
    settings = Settings()
    settings["keys"]["edit.undo"] = ["F5"]
    assert settings["keys"] == {}
    keys = {"edit.undo": ["F5"]}
    settings["keys"] = keys
    keys.clear()
    assert settings["keys"] == {"edit.undo": ["F5"]}


def test_one_bad_value_costs_itself_and_unknown_keys_are_kept(home: Path) -> None:
    home.mkdir()
    (home / "settings.json").write_text('{"theme": "pink", "device": "cpu", "of.the.future": [1]}')
    settings = Settings()
    assert (settings["theme"], settings["device"]) == ("system", "cpu")
    assert len(settings.notes) == 1 and "theme" in settings.notes[0]
    settings["brush.size"] = 7
    assert json.loads(settings.path.read_text())["of.the.future"] == [1]


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b"", b"[" * 100_000])
def test_a_broken_file_is_set_aside_with_a_note(home: Path, content: bytes) -> None:
    home.mkdir()
    (home / "settings.json").write_bytes(content)
    settings = Settings()
    assert len(settings.notes) == 1 and "settings.json.broken" in settings.notes[0]
    assert (home / "settings.json.broken").read_bytes() == content
    settings["theme"] = "light"
    assert Settings()["theme"] == "light" and Settings().notes == ()


def test_two_windows_do_not_undo_each_others_choices() -> None:
    one, other = Settings(), Settings()
    one["theme"] = "dark"
    other["device"] = "cpu"
    assert (Settings()["theme"], Settings()["device"]) == ("dark", "cpu")


def test_a_choice_that_cannot_be_kept_says_so_and_still_counts(home: Path) -> None:
    home.write_text("a file where the folder should be")
    settings = Settings()
    with pytest.raises(OSError, match="home"):
        settings["theme"] = "dark"
    assert settings["theme"] == "dark"


# Recent projects


def test_recent_projects_come_latest_first_each_once_and_not_too_many(tmp_path: Path) -> None:
    recent = RecentProjects(length=3)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for minute, name in enumerate(["a", "b", "c", "a", "d"]):
        recent.add(tmp_path / f"{name}.mer", tmp_path / f"{name}.mer/thumbnail.png", start + timedelta(minutes=minute))
    (tmp_path / "a.mer").mkdir()
    found = RecentProjects(length=3).read()
    assert [r.name for r in found] == ["d", "a", "c"]
    assert [r.exists for r in found] == [False, True, False]
    assert found[1].when == start + timedelta(minutes=3)
    assert found[1].thumbnail == tmp_path / "a.mer/thumbnail.png"
    recent.remove(tmp_path / "a.mer")
    assert [r.name for r in recent] == ["d", "c"]
    recent.clear()
    assert recent.read() == ()


def test_a_shorter_list_shows_less(tmp_path: Path) -> None:
    for name in "abc":
        RecentProjects().add(tmp_path / name)
    assert [r.name for r in RecentProjects(length=1)] == ["c"]


def test_what_cannot_be_understood_of_the_list_is_left_out(home: Path, tmp_path: Path) -> None:
    RecentProjects().add(tmp_path / "a.mer")
    content = json.loads((home / "recent.json").read_text())
    for wrong in (None, {}, {**content["projects"][0], "when": "yesterday"}, {**content["projects"][0], "path": 3}):
        content["projects"].append(wrong)
    (home / "recent.json").write_text(json.dumps(content))
    assert [r.name for r in RecentProjects()] == ["a"]
    for broken in ('{"projects": 3}', "{"):
        (home / "recent.json").write_text(broken)
        assert RecentProjects().read() == ()
