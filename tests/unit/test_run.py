from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.training.run import RunDirectory, add_scores, read_card
from tests.corpora import TINY

CORPUS = {"videos": 1, "sha256": "c0ffee"}


def started(folder: Path, step: int = 0, resume: bool = False) -> RunDirectory:
    run = RunDirectory(folder, resume=resume)
    run.start(step, TINY, {"sources": (Path("/home/somebody/clips"),), "steps": 9}, CORPUS, 1)
    return run


def test_the_card_tells_what_ran_but_not_in_whose_folders(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    card = read_card(run.card)
    assert card["recipe"]["name"] == "tiny" and card["corpus"] == CORPUS and card["processes"] == 1
    assert card["options"] == {"sources": ["clips"], "steps": 9}
    assert "somebody" not in run.card.read_text()


def test_scores_join_the_card_and_go_with_the_weights(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.weights.write_bytes(b"one")
    run.finish(9, 1.0)
    add_scores(run.card, {"davis-dev": {"J&F": 0.7}})
    add_scores(run.card, {"badja": {"PCK@0.2": 0.5}})
    run.finish(9, 1.0)
    card = read_card(run.card)
    assert card["scores"] == {"davis-dev": {"J&F": 0.7}, "badja": {"PCK@0.2": 0.5}} and card["steps"] == 9
    run.weights.write_bytes(b"two")
    run.finish(12, 2.0)
    card = read_card(run.card)
    assert "scores" not in card and card["steps"] == 12


def test_scores_need_a_run_card(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such run card"):
        add_scores(tmp_path / "card.json", {})
    for text in ("{}", "not json", "[]"):
        (tmp_path / "card.json").write_text(text)
        with pytest.raises(ValueError, match=r"card\.json: not a run card"):
            add_scores(tmp_path / "card.json", {})
        assert (tmp_path / "card.json").read_text() == text


def test_metrics_beyond_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    for step in range(1, 6):
        run.log({"step": step})
    with open(run.metrics, "a") as file:
        file.write('{"step": 6, "tot')
    run = started(tmp_path / "run", step=3, resume=True)
    run.log({"step": 4})
    assert [json.loads(line)["step"] for line in run.metrics.read_text().splitlines()] == [1, 2, 3, 4]


def test_a_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    started(tmp_path / "run")
    with pytest.raises(ValueError, match="run: holds a run already"):
        RunDirectory(tmp_path / "run", resume=False)
    (tmp_path / "encoder.pt").touch()
    with pytest.raises(ValueError, match="holds a run already"):
        RunDirectory(tmp_path, resume=False)


def test_a_run_goes_on_with_the_same_corpus_only(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    with pytest.raises(ValueError, match="run: the run learned from other files"):
        run.start(0, TINY, {}, {"sha256": "decaf"}, 1)


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot be written in"):
        RunDirectory(tmp_path / "file" / "run", resume=False)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests may run as root, who may write anywhere
    with pytest.raises(ValueError, match="run: cannot be written in"):
        RunDirectory(tmp_path / "new" / "run", resume=False)
    assert [f.name for f in tmp_path.iterdir()] == ["file"]
