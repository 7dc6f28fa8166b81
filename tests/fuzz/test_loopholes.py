"""Ways by which a file could run code or write elsewhere: none is open, by the sources themselves and by trying."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.io.imports.tables import PlainPickle
from tests.conftest import ROOT

SOURCES = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "model").rglob("*.py")])
NOBODY = {"marshal", "shelve", "dill", "joblib", "yaml", "xml", "lxml", "xmlrpc"}
SOME = {  # module: who may use it, and why that is safe
    "pickle": {"app/io/imports/tables.py"},  # an unpickler that knows no classes
    "zipfile": {"model/training/checkpoint.py"},  # to look at sizes; nothing is unpacked
    # Pictures are read at their offsets; nothing is unpacked.
    "tarfile": {f"model/training/{name}.py" for name in ("cache", "pack", "shards")},
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in SOURCES:
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_modules_that_run_or_unpack_files_are_used_where_that_is_safe() -> None:
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                used = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used = {(node.module or "").partition(".")[0]}
            else:
                continue
            assert not used & NOBODY, f"{name} uses {used & NOBODY}"
            for module in used & SOME.keys():
                assert name in SOME[module], f"{name} uses {module}: say here why that is safe"


def test_weights_are_data_and_nothing_is_evaluated_or_unpacked() -> None:
    for name, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called, where = ast.unparse(node.func), f"{name}, line {node.lineno}"
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert called not in ("eval", "exec", "os.system"), where
            assert not called.endswith((".extractall", "unpack_archive")), where
            assert given.get("shell") in (None, "False"), where
            if called == "torch.load":
                assert given.get("weights_only") == "True", where
            if called == "np.load":
                assert given.get("allow_pickle", "False") == "False", where


class Trap:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.victim,)


def test_plain_pickles_are_read_and_others_run_nothing(tmp_path: Path) -> None:
    plain = {"names": [("MER", "beak", "x"), None], "n": 3, "x": 0.5, "raw": b"\0"}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(plain if protocol > 2 else plain | {"raw": ""}, protocol)
        assert PlainPickle.loads(data)["names"] == plain["names"]
        with pytest.raises(pickle.UnpicklingError, match="pickled objects"):
            PlainPickle.loads(pickle.dumps(Trap(tmp_path / "sprung"), protocol))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("place", ["attribute", "array"])
def test_a_deeplabcut_table_with_a_trap_in_it_runs_nothing(tmp_path: Path, place: str) -> None:
    tables = pytest.importorskip("tables")
    from app.io.imports import read_foreign
    from tests.fuzz.seeds import SIZE, deeplabcut

    path = deeplabcut(tmp_path)
    trap = Trap(tmp_path / "sprung")
    with tables.open_file(str(path), "a") as file:
        group = file.root.df_with_missing
        if place == "attribute":
            group.axis0_level0._v_attrs.name = trap
        else:
            file.remove_node(group, "axis0_level0")
            file.create_vlarray(group, "axis0_level0", tables.ObjectAtom()).append(trap)
    with suppress(ValueError):  # an attribute that cannot be made out is left alone, a name is missed
        read_foreign(path, SIZE)
    assert not (tmp_path / "sprung").exists()
