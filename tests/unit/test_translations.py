"""What translators are given holds every word that the window asks for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QTranslator
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.unit import test_language as language

SCRIPT = Path(__file__).parents[2] / "packaging" / "translations.py"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translations", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


translations = script()


class Translated(QTranslator):
    """Knows what the template has, what Qt itself says, and nothing else."""

    known = translations.messages()

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str | None:  # type: ignore[override]
        return f"«{text}»" if text and (context.startswith("Q") or (context, text) in self.known) else None

    def isEmpty(self) -> bool:
        return False


@pytest.fixture
def translated(qapp: QApplication) -> Iterator[None]:
    translator = Translated()
    assert qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)


def test_the_window_asks_for_nothing_else(translated: None, qtbot: QtBot, tmp_path: Path) -> None:
    language.test_the_window_has_no_word_that_cannot_be_translated(None, qtbot, tmp_path)


def test_nor_do_the_dialogs(translated: None, qtbot: QtBot, tmp_path: Path) -> None:
    language.test_the_dialogs_have_none_either(None, qtbot, tmp_path)


def test_it_is_a_file_of_linguist() -> None:
    root = ElementTree.fromstring(translations.linguist(translations.messages()).split("<!DOCTYPE TS>")[1])
    contexts = {context.findtext("name"): context for context in root.findall("context")}
    assert {"Actions", "Settings", "Hints", "Changes", "Wording", "Timeline", "Canvas", "Inference"} <= contexts.keys()
    numbers = [m for m in contexts["Hints"].findall("message") if "%n" in (m.findtext("source") or "")]
    assert numbers and all(m.get("numerus") == "yes" for m in numbers)
    assert "Paint" in {m.findtext("source") for m in contexts["Changes"].findall("message")}
