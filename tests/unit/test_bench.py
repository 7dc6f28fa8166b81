from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.__main__ import run
from model.affinity import windowed_affinity
from model.affinity.window import reach_between
from model.evaluation.bench.affinities import chunked_affinity, compare_affinities, unfold_affinity
from model.evaluation.bench.chart import bench_chart
from model.evaluation.bench.figures import Figures, Length, Roof, Run, Stage
from model.evaluation.bench.measure import Meter, find_roof, flops
from model.evaluation.bench.parts import PLAIN, time_parts
from model.evaluation.bench.runs import measure_length, measure_run
from model.evaluation.bench.stages import window_cells
from model.evaluation.bench.suite import Plan
from model.evaluation.bench.synthetic import SyntheticVideo, blobs
from model.evaluation.bench.tables import as_markdown
from model.evaluation.bench.training import time_training
from model.evaluation.sheet import SERIES
from model.features import load_extractor
from model.types import PropagationOptions

OPTIONS = PropagationOptions(short_side=None, radius=3, top_k=5, long_term=(5,), short_term=(1, 3, 5))
ROOF = Roof(1e11, 1e10, "float32", 1)
CPU = torch.device("cpu")
METER = Meter(CPU, 1)


def test_the_plain_ways_give_the_same_votes_as_the_tiled_one() -> None:
    features = torch.nn.functional.normalize(torch.randn(2, 16, 13, 18), dim=1)
    values = torch.rand(1, 3, 13, 18)
    tiled = windowed_affinity(
        features[0], features[1:], radius=3, top_k=5, temperature=0.1, window="square", dtype=torch.float32
    )
    for way in (unfold_affinity, chunked_affinity):
        plain = way(features[0], features[1], 3, 5, 0.1)
        torch.testing.assert_close(plain.apply(values), tiled.apply(values), atol=1e-5, rtol=1e-4)
    with SyntheticVideo(48, 64, 3) as video:
        ways = compare_affinities(video, load_extractor("lab", "cpu"), OPTIONS, METER)
    assert set(ways) == {"unfold", "dense", "fast"} and min(ways.values()) > 0


def test_work_is_counted_exactly() -> None:
    a, b = torch.ones(7, 11), torch.ones(11, 13)
    assert flops(lambda: a @ b) == 2 * 7 * 11 * 13
    for window in ("circle", "square"):
        seen = (reach_between(9, 7, window, CPU) <= 4**2).sum()
        assert window_cells((9, 7), 4, window) == seen


def test_a_run_measures_every_stage_and_the_update() -> None:
    with SyntheticVideo(48, 64, 14) as video:
        extractor = load_extractor("untrained", "cpu")
        run = measure_run(video, extractor, OPTIONS, objects=3, frames=4, roof=ROOF, meter=METER)
    assert (run.frames, run.references, run.objects, run.name) == (4, 5, 3, "48p, 3 objects")
    assert [stage.name for stage in run.stages] == ["decode", "encode", "affinity", "labels"]
    assert all(stage.seconds > 0 and stage.work > 0 and stage.ratio == stage.rate / stage.roof for stage in run.stages)
    assert run.first > 0 and run.update > 0
    encode = run.stages[1]
    assert encode.unit == "FLOP" and encode.work > 1e8  # ResNet-18 on 12×16 cells


def test_a_video_too_short_to_measure_is_refused() -> None:
    with SyntheticVideo(48, 64, 5) as video, pytest.raises(ValueError, match="5 frames are too few"):
        measure_run(video, load_extractor("lab", "cpu"), OPTIONS, objects=1, frames=4, roof=ROOF, meter=METER)


def test_a_length_measures_time_and_memory() -> None:
    length = measure_length((48, 64), 40, load_extractor("lab", "cpu"), OPTIONS, METER)
    assert length.seconds > 0 and list(length.resident) == list(range(1, 41))
    told = Length((48, 64), 1000, 0.01, {n: 10 * n for n in range(10, 1001, 10)})
    assert (told.early, told.late) == (1000, 10_000)


def test_a_training_step_is_measured() -> None:
    step = time_training("mast", METER, ROOF, batch=2)
    assert step.seconds > 0 and step.work > 1e9


def test_the_roof_is_what_a_product_and_a_copy_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([2.0, 4.0])
    monkeypatch.setattr(Meter, "seconds", lambda *_: next(taken))
    roof = find_roof(METER)
    assert roof.flops == 2 * 2048**3 / 2 and roof.bytes == 2 * 2**28 / 4


def test_the_synthetic_video_moves_and_repeats_exactly() -> None:
    with SyntheticVideo(48, 64, 90) as video:
        assert video[3].image.shape == (48, 64, 3)
        assert not np.array_equal(video[3].image, video[4].image)
        assert all(np.array_equal(f.image, video[f.index].image) for f in video.frames(40, 50))


@pytest.mark.parametrize("objects", [1, 5, 20, 254])
def test_every_made_up_object_shows(objects: int) -> None:
    labels = blobs(0, (240, 426), objects).labels
    assert labels is not None and set(np.unique(labels.ids)) == set(range(objects + 1))


def test_memory_stays_flat_over_a_long_video() -> None:
    """What grows with the length would show here: 500 frames hold ten times the labels of 50."""
    length = measure_length((48, 64), 500, load_extractor("lab", "cpu"), OPTIONS, METER)
    assert length.early is not None and length.late is not None
    assert length.late - length.early < 8 * 2**20


def figures() -> Figures:
    stages = (
        Stage("decode", 0.01, 1e6, "byte", 1e10),
        Stage("encode", 0.2, 1e10, "FLOP", 1e11),
        Stage("affinity", 0.1, 1e9, "FLOP", 1e11),
        Stage("labels", 0.05, 1e6, "byte", 1e10),
    )
    runs = (
        Run("clip.mp4", (480, 854), (480, 854), 1, 5, 20, 0.3, 0.06, stages, 2**30),
        Run("clip.mp4", (1080, 1920), (480, 853), 20, 5, 20, 0.6, 0.2, stages, None),
    )
    lengths = (Length((72, 128), 500, 0.02, {50: 2**28, 500: 2**28}),)
    machine = {"device": "cpu", "clock": "processor"}
    return Figures(machine, ROOF, runs, Stage("training step", 1.0, 5e10, "FLOP", 1e11), lengths, {"unfold": 9.0})


def test_tables_say_what_was_measured() -> None:
    text = as_markdown(figures())
    assert "cpu, threads: 1, processor time: 100 GFLOP/s in a float32 matrix product, 10 GB/s in a copy" in text
    assert "| encode | 480p | 200.0 | 50 GFLOP/s | 100 GFLOP/s | 50.0 % |" in text
    assert "| 1080p at 480p, 20 objects | 5 | 1.67 | 5.00 | 3.0× | – |" in text
    assert "| 500 | 128×72 | 20.00 | 256 MiB | 256 MiB |" in text
    assert "| training step | – | 1000.0 | 50 GFLOP/s |" in text


def test_the_chart_shows_every_stage() -> None:
    picture = bench_chart(figures())
    colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert set(SERIES[:4]) <= colours
    with pytest.raises(ValueError, match="nothing to draw"):
        bench_chart(Figures({}, ROOF))


def test_a_plan_measures_all_sizes_and_all_objects_but_not_their_product() -> None:
    assert Plan(sizes=(240, 480, 1080), objects=(1, 5)).cases() == [(240, 1), (480, 1), (480, 5), (1080, 1)]
    assert Plan(sizes=(240, 96), objects=(2, 3)).cases() == [(240, 2), (240, 3), (96, 2)]
    for wrong in ({"sizes": (8,)}, {"objects": (255,)}, {"lengths": (5,)}, {"objects": ()}):
        with pytest.raises(ValueError, match=r"give|given"):
            Plan(**wrong)


def mer(*arguments: object) -> int:
    return run(["bench", *map(str, arguments)])


def test_the_command_prints_and_writes_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("model.evaluation.bench.suite.find_roof", lambda meter: ROOF)
    small = ("--weights", "lab", "--device", "cpu", "--frames", 2, "--rounds", 1, "--recipe", "none")
    paths = ("--json", tmp_path / "a.json", "--markdown", tmp_path / "a.md", "--plot", tmp_path / "a.png")
    assert mer("--sizes", "48", "--objects", "1,3", "--lengths", "20", "--long", 20, *small, *paths) == 0
    printed = capsys.readouterr().out
    for word in ("decode", "encode", "affinity", "labels", "48p", "128×72", "64×48", "10 GB/s", "peak memory"):
        assert word in printed
    told = json.loads((tmp_path / "a.json").read_text())
    assert [run["objects"] for run in told["runs"]] == [1, 3] and told["peak_memory_bytes"] > 0
    assert [length["frames"] for length in told["lengths"]] == [20, 20]
    assert told["runs"][0]["stages"][0]["ratio"] > 0 and told["roof"]["bytes"] == 1e10
    assert (tmp_path / "a.md").read_text().count("| 48p |") == 5
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--sizes", "huge"), "--sizes takes whole numbers"),
        (("--sizes", "4"), "a size cannot be 4"),
        (("clip.mp4", "--sizes", "480"), "leave it out"),
        (("--recipe", "onion"), "unknown recipe 'onion'"),
        (("--json", "nowhere/a.json"), "not a folder that can be written to"),
    ],
)
def test_what_cannot_be_measured_is_told_at_once(
    arguments: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mer(*arguments) == 2
    printed, errors = capsys.readouterr()
    assert printed == "" and word in errors and len(errors.strip().splitlines()) == 1


def test_parts_of_the_method_are_timed_one_by_one() -> None:
    with SyntheticVideo(48, 64, 12) as video:
        parts = time_parts(video, CPU, False, OPTIONS, 2, METER)
    assert next(iter(parts)) == PLAIN and len(parts) == 12 and min(parts.values()) > 0
    assert "the same, for every query anew" in parts
    table = as_markdown(replace(figures(), parts={PLAIN: 0.1, "a part": 0.125}))
    assert "| a part | 125 | +25 | 1.25× |" in table
    with SyntheticVideo(48, 64, 5) as video, pytest.raises(ValueError, match="5 frames are too few"):
        time_parts(video, CPU, False, OPTIONS, 2, METER)
