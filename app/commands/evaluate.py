"""`mer evaluate davis`, `keypoints`, `sweep` and `effort`: scores as tables and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands import options as opt
from model.types import PropagationOptions

if TYPE_CHECKING:
    from app.runs.effort import EffortReport
    from model.evaluation.runner import Progress, Propagate

evaluate = typer.Typer(no_args_is_help=True, help="Score the propagation against the truth.")

Sequences = Annotated[str | None, typer.Option(help="Only these, separated by commas; all when left out.")]
Json = Annotated[str | None, typer.Option("--json", help="Also write the scores to this file; - prints JSON alone.")]


@evaluate.command()
@opt.with_propagation_options(leave_out=("references", "cycle"))
def davis(
    root: Annotated[Path, typer.Argument(help="Folder with JPEGImages/480p and Annotations/480p.")],
    sequences: Sequences = None,
    weights: opt.Weights = None,
    options: PropagationOptions = opt.DEFAULT,
    device: opt.Device = None,
    json_path: Json = None,
    results: Annotated[Path | None, typer.Option(help="Keep the predicted masks in this folder.")] = None,
    score: Annotated[
        Path | None, typer.Option(help="Run nothing; score the masks in this folder, or DAVIS export.")
    ] = None,
) -> None:
    """J and F by the official rules of DAVIS: first frame given, first and last frame not scored."""
    _check_writable(json_path)
    with _progress() as progress:
        from model.evaluation.davis import evaluate_davis, score_folder

        if score is not None:
            report = score_folder(root, score, sequences=_names(sequences), progress=progress)
        else:
            propagate, provenance = _propagator(weights, device)
            report = evaluate_davis(
                root,
                propagate,
                sequences=_names(sequences),
                options=options,
                weights=provenance,
                results=results,
                progress=progress,
            )
    columns = ("J&F", "J", "F", "J-recall", "F-recall", "J-decay")
    notes = [
        f"{sequence.name}: object {number} is not in the first frame and not scored"
        for sequence in report.sequences
        for number in sequence.late
    ]
    _show(report.as_dict(), columns, json_path, notes)


@evaluate.command()
@opt.with_propagation_options(leave_out=("decoder", "references", "cycle"))
def keypoints(
    path: Annotated[Path, typer.Argument(help="JHMDB folder, or a BADJA file of joints (.json).")],
    davis_root: Annotated[
        Path | None, typer.Option("--davis", help="DAVIS folder with the frames and masks of a BADJA file.")
    ] = None,
    sequences: Sequences = None,
    weights: opt.Weights = None,
    options: PropagationOptions = opt.DEFAULT,
    device: opt.Device = None,
    json_path: Json = None,
) -> None:
    """PCK@0.1 and PCK@0.2 over all visible points, by the rules of JHMDB or BADJA."""
    _check_writable(json_path)
    with _progress() as progress:
        from model.evaluation.keypoint_sets import read_badja, read_jhmdb
        from model.evaluation.keypoints import evaluate_keypoints

        if path.is_dir():
            labelled = read_jhmdb(path, _names(sequences))
        elif davis_root is not None:
            labelled = read_badja(path, davis_root, _names(sequences))
        else:
            raise ValueError(f"{path} is not a folder; a BADJA file also needs --davis, the folder of its frames")
        propagate, provenance = _propagator(weights, device)
        report = evaluate_keypoints(labelled, propagate, options=options, weights=provenance, progress=progress)
    columns = ("PCK@0.1", "PCK@0.2", "PCK@0.1 with given frame", "PCK@0.2 with given frame")
    _show(report.as_dict(), columns, json_path)


@evaluate.command()
@opt.with_propagation_options(only=("size",))
def sweep(
    root: Annotated[Path, typer.Argument(help="Folder with JPEGImages/480p and Annotations/480p.")],
    sequences: Sequences = None,
    weights: opt.Weights = None,
    options: PropagationOptions = opt.DEFAULT,
    radius: Annotated[str, typer.Option(help="Window radii to try, separated by commas.")] = str(opt.DEFAULT.radius),
    sampler: Annotated[str, typer.Option(help="fixed, contract, grow, or several.")] = opt.DEFAULT.sampler,
    top_k: Annotated[str, typer.Option(help="Numbers of votes to try.")] = str(opt.DEFAULT.top_k),
    temperature: Annotated[str, typer.Option(help="Temperatures to try.")] = str(opt.DEFAULT.temperature),
    colour: Annotated[str, typer.Option(help="Weights of colour to try.")] = str(opt.DEFAULT.colour),
    edges: Annotated[str, typer.Option(help="guided, bilinear, or both.")] = opt.DEFAULT.edges,
    labels: Annotated[str, typer.Option(help="soft, hard, or both.")] = opt.DEFAULT.labels,
    device: opt.Device = None,
    json_path: Json = None,
) -> None:
    """Score every combination of some options on a DAVIS folder, the best first; frames are encoded only once.

    Choose on development sequences, and again for every new encoder.
    """
    _check_writable(json_path)
    from model.evaluation.sweep import sweep_davis
    from model.features import load_extractor

    grid: dict[str, list[Any]] = {
        "radius": opt.values(radius, int, "--radius"),
        "sampler": opt.names(sampler),
        "top_k": opt.values(top_k, int, "--top-k"),
        "temperature": opt.values(temperature, float, "--temperature"),
        "colour": opt.values(colour, float, "--colour"),
        "edges": opt.names(edges),
        "labels": opt.names(labels),
    }
    trials = sweep_davis(
        root,
        load_extractor(weights, device),
        grid,
        base=options,
        sequences=_names(sequences),
        note=lambda text: typer.echo(text, err=True),
    )
    means = {
        " ".join(f"{name}={value}" for name, value in trial.settings.items()): trial.report.mean.as_dict()
        for trial in trials
    }
    best = next(iter(means.values()))
    report = {"mean": best, "sequences": means}
    _show(report, ("J&F", "J", "F", "J-recall", "F-recall", "J-decay"), json_path, first="options", last="best")


@evaluate.command()
@opt.with_propagation_options(only=("size",))
def effort(
    root: Annotated[Path, typer.Argument(help="Folder with JPEGImages/480p and Annotations/480p.")],
    sequences: Sequences = None,
    target: Annotated[float, typer.Option(min=0, max=1, help="Mean J at which the annotator is content.")] = 0.9,
    limit: Annotated[int, typer.Option(min=1, help="Human frames after which the annotator gives up.")] = 12,
    weights: opt.Weights = None,
    options: PropagationOptions = opt.DEFAULT,
    device: opt.Device = None,
    json_path: Json = None,
) -> None:
    """Count the frames that a person has to label: a simulated annotator paints, updates, and paints again.

    The next frame is chosen by the program's doubt, in the middle of the widest gap, or by one who knows the truth.
    """
    _check_writable(json_path)
    from app.runs.effort import evaluate_effort
    from model.features import load_extractor

    extractor = load_extractor(weights, device)
    with _progress() as progress:
        report = evaluate_effort(
            root,
            extractor,
            sequences=_names(sequences),
            options=options,
            target=target,
            limit=limit,
            progress=progress,
        )
    _show_effort(report, json_path)


def _propagator(weights: str | None, device: str | None) -> tuple[Propagate, dict[str, str]]:
    """A propagator on the chosen features, and what the report says of them."""
    from model.features import load_extractor
    from model.propagator import Propagator

    extractor = load_extractor(weights, device)
    provenance = {"name": extractor.name, "sha256": extractor.sha256, "recipe": extractor.recipe}
    return lambda source, request: Propagator(source, extractor).run(request), provenance


def _show_effort(report: EffortReport, json_path: str | None) -> None:
    from app.runs.effort import Pick

    if _told_as_json(report.as_dict(), json_path):
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("sequence", caption=f"human frames until mean J ≥ {report.target:g}, at most {report.limit}")
    for pick in Pick:
        table.add_column(pick.value, justify="right")
    for name in report.rounds:
        table.add_row(name, *(str(report.frames(name, pick)) for pick in Pick))
    table.add_section()
    table.add_row("all", *(str(report.total(pick)) for pick in Pick))
    Console().print(table)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else opt.names(text)


@contextmanager
def _progress() -> Iterator[Progress]:
    """One line of progress for every sequence."""
    from app.progress import progress

    with ExitStack() as current:
        lines: dict[str, Callable[[int], None]] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in lines:
                current.close()
                lines[name] = current.enter_context(progress(name, total))
            lines[name](done)

        yield show


def _check_writable(json_path: str | None) -> None:
    """Better now than after the run."""
    if json_path in (None, "-"):
        return
    folder = Path(json_path).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"--json: {folder} is not a folder that can be written to")


def _told_as_json(report: dict[str, Any], json_path: str | None) -> bool:
    """Write the file that was asked for, or print it: then nothing else is to be printed."""
    text = json.dumps(report, indent=2)
    if json_path == "-":
        typer.echo(text)
    elif json_path is not None:
        from app.io.atomic import write_text

        write_text(Path(json_path), text + "\n")
    return json_path == "-"


def _show(
    report: dict[str, Any],
    columns: Iterable[str],
    json_path: str | None,
    notes: Iterable[str] = (),
    first: str = "sequence",
    last: str = "mean",
) -> None:
    """The table, or the JSON, or both."""
    if _told_as_json(report, json_path):
        return
    from rich.console import Console
    from rich.table import Table

    columns = list(columns)
    table = Table(first, caption="values in %")
    for column in columns:
        table.add_column(column, justify="right")

    def add(name: str, scores: dict[str, float]) -> None:
        table.add_row(name, *(f"{100 * scores[column]:.1f}" for column in columns))

    for name, scores in report["sequences"].items():
        add(name, scores)
    table.add_section()
    add(last, report["mean"])
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note)
