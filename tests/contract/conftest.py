"""Clips of every kind, made once."""

from __future__ import annotations

import pytest

from tests.contract.clips import FILES, FOLDERS, Clip


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Clip]:
    folder = tmp_path_factory.mktemp("clips")
    return {name: make(folder / name) for name, make in (FILES | FOLDERS).items()}
