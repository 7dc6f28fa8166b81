from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from app.machine import disk_for_features


def test_features_take_no_more_than_a_quarter_of_the_free_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    assert disk_for_features(100) == 100
    assert disk_for_features(900) == 250
    assert disk_for_features(0) == 0
