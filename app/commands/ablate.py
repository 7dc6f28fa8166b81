"""`mer ablate`: recipes that differ in known ways, trained alike, scored alike, in one table."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands import options as opt
from app.commands.train import Teller

if TYPE_CHECKING:
    from model.evaluation.ablation_table import Row
    from model.evaluation.keypoints import KeypointSequence
    from model.evaluation.studies import Study, Trial

SMALL = 240  # at half of 480 a study costs a quarter


def ablate(
    study: Annotated[str, typer.Argument(help="factorial, systems, hyper or convergence.")],
    sources: Annotated[list[Path], typer.Argument(help="Folders of videos and photographs to train on.")],
    davis: Annotated[Path, typer.Option(help="DAVIS folder to score on: development sequences.")],
    out: Annotated[Path, typer.Option(help="Folder for the table, the plots and a run for every trial.")],
    recipe: Annotated[str | None, typer.Option(help="What is taken apart, or compared (with commas).")] = None,
    steps: Annotated[int | None, typer.Option(help="Budget of every training, in steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Budget of every training, in minutes.")] = None,
    seeds: Annotated[str, typer.Option(help="Every row is trained with each of these.")] = "0",
    size: Annotated[int, typer.Option(min=0, help="Short side to score at; 0 = the video's own.")] = SMALL,
    sequences: Annotated[str | None, typer.Option(help="Score these only, separated by commas.")] = None,
    keypoints: Annotated[
        Path | None, typer.Option(help="Score these as well: JHMDB folder, or BADJA file on the frames of --davis.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Pairs per step, for all rows; the recipes' when left out.")] = None,
    crop: Annotated[int | None, typer.Option(help="Side of the crops, pixels, for all rows and to the end.")] = None,
    device: opt.Device = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare samples.")] = 2,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded frames; OUT/cache when left out.")] = None,
) -> None:
    """Train and score a grid of recipes; write OUT/table.md, OUT/table.json and OUT/*.png.

    The same command goes on where it was stopped, and does nothing twice. More seeds may be added later.
    """
    from model.evaluation.ablation import Scoring, run_study
    from model.evaluation.ablation_table import table_rows
    from model.evaluation.studies import get_study
    from model.training.options import TrainingOptions
    from model.types import PropagationOptions

    chosen = get_study(study, opt.names(recipe or ""))
    trials = chosen.with_seeds(list(dict.fromkeys(opt.values(seeds, int, "--seeds"))))
    if not trials:
        raise ValueError("--seeds is empty; give at least one, such as 0")
    training = TrainingOptions(
        sources=tuple(sources),
        out=out,
        steps=steps,
        minutes=minutes,
        batch=batch,
        crop=crop,
        device=device,
        workers=workers,
        cache=cache,
    )
    scoring = Scoring(
        davis,
        PropagationOptions(short_side=size or None),
        None if sequences is None else tuple(opt.names(sequences)),
        _keypoints(keypoints, davis),
    )
    about = {"steps": steps, "minutes": minutes, "batch": batch, "crop": crop, "scored at": size or None}
    teller = _Teller(trials)
    outcomes = []
    for outcome in run_study(trials, training, scoring, note=teller.note, step=teller.step):
        outcomes.append(outcome)
        _write(chosen, table_rows(chosen, outcomes), about, out)
    _show(chosen, table_rows(chosen, outcomes))
    typer.echo(f"wrote {out / 'table.md'}")
    if failed := sum(outcome.error is not None for outcome in outcomes):
        raise ValueError(f"{failed} of {len(outcomes)} trials failed; {out / 'table.md'} says why")


class _Teller:
    """Says on the error stream what is going on, and in which trial."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._numbers = {trial: number for number, trial in enumerate(map(_key, trials), start=1)}
        self._current: tuple[tuple[str, int], Teller] | None = None

    def note(self, trial: Trial, text: str) -> None:
        if self._current is not None:
            self._current[1].last()
            self._current = None
        print(f"{self._prefix(trial)}{text}", file=sys.stderr, flush=True)

    def step(self, trial: Trial, line: dict[str, Any]) -> None:
        if self._current is None:
            self._current = _key(trial), Teller(self._prefix(trial))
        self._current[1](line)

    def _prefix(self, trial: Trial) -> str:
        return f"[{self._numbers[_key(trial)]}/{len(self._numbers)}] {trial.row}, seed {trial.seed}: "


def _key(trial: Trial) -> tuple[str, int]:
    return trial.row, trial.seed


def _keypoints(path: Path | None, davis: Path) -> tuple[KeypointSequence, ...]:
    from model.evaluation.keypoint_sets import read_badja, read_jhmdb

    if path is None:
        return ()
    return tuple(read_jhmdb(path) if path.is_dir() else read_badja(path, davis))


def _write(study: Study, rows: Sequence[Row], about: dict[str, Any], out: Path) -> None:
    """The table and the plots as far as they go."""
    from PIL import Image

    from app.io.atomic import replacing, write_text
    from model.evaluation.ablation_table import as_dict, markdown, plots

    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "table.md", markdown(study, rows, about))
    write_text(out / "table.json", json.dumps(as_dict(study, rows, about), indent=1) + "\n")
    for name, picture in plots(study, rows).items():
        with replacing(out / f"{name}.png") as partial:
            Image.fromarray(picture).save(partial, format="PNG")


def _show(study: Study, rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    from model.evaluation.ablation_table import cells

    head, lines = cells(study, rows)
    table = Table(head[0], caption="scores in %")
    for name in head[1:]:
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(*line)
    Console().print(table)
