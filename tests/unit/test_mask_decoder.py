from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.commands.options import DEFAULT, propagation_options
from model.affinity import Affinity
from model.features import load_extractor
from model.mask_decoder import MaskDecoder, corrected, others_of, share_out
from model.mask_views import VIEWS, FrameLooks, Looks, likeness, odds_of, smooth, views
from model.propagator import Propagator
from model.pseudo_masks import pseudo_masks
from model.recipes.mask_vos import MaskVosRecipe
from model.refinement import find_decoder, load_decoder, save_decoder
from model.training.checkpoint import save_file
from model.training.mask_clips import MaskClip, prepare
from model.training.mask_vos import DecoderTraining, draw_cells, draw_tasks, train_decoder
from model.training.pasted import paste_objects
from model.training.rollout import Task, rollout
from model.types import Anchor, LabelMap, PropagationOptions, PropagationRequest
from tests.corpora import options, write_corpus
from tests.videos import MemoryVideo, moving_squares, texture

RECIPE = MaskVosRecipe(tasks=4, cells=400, fits=60, batch=512, spoil=0.0, forget=0.0)
OPTIONS = PropagationOptions(
    short_side=None, radius=6, top_k=8, temperature=0.1, short_term=(1, 3, 7, 10), long_term=(5,)
)
IMAGES, TRUTH = moving_squares(frames=5)


def maps(*channels: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*channels, 6, 9, generator=torch.Generator().manual_seed(seed))


def a_clip(images: list[np.ndarray] = IMAGES, truth: list[np.ndarray] = TRUTH) -> MaskClip:
    cells = [torch.from_numpy(np.stack([t[::4, ::4] == n for n in (7, 200)])) for t in truth]
    return prepare(images, torch.stack(cells, dim=1).byte() * 255, load_extractor("lab", "cpu"), OPTIONS)


def the_views(own: torch.Tensor) -> torch.Tensor:
    frame = FrameLooks.of(maps(5), maps(2, 5), votes(), torch.tensor([True, False]))
    return views(own, others_of(own), own, maps(len(own), 3), frame)


def votes() -> Affinity:
    index = torch.randint(2 * 54, (54, 3), generator=torch.Generator().manual_seed(0))
    return Affinity(torch.full((54, 3), 1 / 3), index, (6, 9), 2)


def trained(decoder: MaskDecoder) -> MaskDecoder:
    torch.nn.init.normal_(decoder.leave.weight, std=20.0, generator=torch.Generator().manual_seed(0))
    return decoder


def test_a_fresh_decoder_changes_nothing() -> None:
    own = maps(2) / 2
    seen = the_views(own)
    assert seen.shape == (2, VIEWS, 6, 9) and torch.isfinite(seen).all() and seen.abs().max() < 1.5
    assert torch.equal(MaskDecoder().correct(own, seen), own)


def test_a_trained_decoder_changes_something_and_stays_within_0_and_1() -> None:
    own, decoder = share_out(maps(3)), trained(MaskDecoder())
    out = decoder.correct(own, the_views(own))
    assert out.shape == own.shape and out.min() >= 0 and out.sum(dim=0).max() <= 1 + 1e-6
    assert (out - own).abs().max() > 0.1
    kept = decoder.remembered(own, out)
    assert torch.allclose(kept - own, decoder.config.feedback * (out - own), atol=1e-6)


def test_smoothing_stays_within_what_looks_alike() -> None:
    vectors = torch.zeros(1, 6, 9)
    vectors[0, :, 5:] = 3
    frame = FrameLooks.of(
        vectors, vectors[None], Affinity(torch.ones(54, 1), torch.arange(54)[:, None], (6, 9), 1), torch.tensor([True])
    )
    spot = torch.zeros(1, 6, 9)
    spot[0, 2, 4] = 1
    spread = smooth(spot, frame.neighbours, 3)
    assert spread[0, 2, 1] > 0.001 and spread[..., 5:].max() < 1e-6
    same = torch.full((1, 6, 9), 0.7)
    assert torch.allclose(smooth(same, frame.neighbours, 3), same)


def test_views_see_what_the_labelled_frames_alone_say() -> None:
    given = torch.tensor([True, False])
    looks = FrameLooks.of(maps(5), maps(2, 5), votes(), given)
    by_person = (votes().index < 54).float().mean(dim=1).view(6, 9)
    assert torch.allclose(looks.given, by_person)
    told = looks.votes.apply(torch.stack([torch.ones(1, 6, 9), torch.zeros(1, 6, 9)]))
    assert torch.allclose(told[0], (by_person > 0).float())


def test_likeness_tells_the_object_from_the_rest_wherever_it_is() -> None:
    vectors = torch.zeros(2, 6, 9)
    vectors[0, :, :4] = 1
    share = torch.zeros(6, 9)
    share[:, :4] = 1
    looks = Looks.of([vectors], [share])
    moved = vectors.flip(2)
    like, unlike, difference = likeness(moved, looks)
    assert torch.equal(like > 0.99, moved[0] == 1) and torch.equal(unlike > 0.99, moved[0] == 0)
    assert torch.equal(difference > 0.5, moved[0] == 1) and difference.abs().max() <= 1


def test_likeness_of_an_object_that_nobody_showed_says_no() -> None:
    like, _, difference = likeness(maps(5), Looks.of([], []))
    assert like.max() < 1e-6 and difference.abs().max() == 0


def test_objects_share_out_cells_that_they_both_claim() -> None:
    claims = torch.tensor([[[0.9, 0.2]], [[0.6, 0.3]]])
    assert torch.allclose(share_out(claims), torch.tensor([[[0.6, 0.2]], [[0.4, 0.3]]]))


def test_pseudo_masks_find_the_known_regions_of_a_clip_in_every_frame() -> None:
    ids = torch.zeros(4, 12, 16, dtype=torch.long)
    for t in range(4):
        ids[t, 2:7, 1 + t : 6 + t] = 1  # one that moves
        ids[t, 7:, 10:] = 2
    looks = torch.eye(3)
    found = pseudo_masks(looks[ids].movedim(-1, 1), torch.zeros(4, 3, 12, 16), 3)
    for number in range(3):
        segment = found[ids == number].mode().values
        same = (found == segment) & (ids == number)
        assert same.sum() > 0.75 * ((found == segment) | (ids == number)).sum()
    assert torch.equal(found, pseudo_masks(looks[ids].movedim(-1, 1), torch.zeros(4, 3, 12, 16), 3))


def test_pseudo_masks_of_less_than_one_segment_are_refused() -> None:
    with pytest.raises(ValueError, match="1 segment or more, not 0"):
        pseudo_masks(torch.zeros(1, 4, 4, 4), torch.zeros(1, 3, 4, 4), 0)


def test_pasted_objects_are_where_their_masks_say() -> None:
    frames, shown = [texture(n, 64, 80) for n in range(3)], 0
    for seed in range(6):
        images, ids = paste_objects(np.random.default_rng(seed), frames, [texture(9, 50, 60)])
        assert len(images) == len(ids) == 3
        assert all(
            i.shape == (64, 80, 3) and i.dtype == np.uint8 and m.shape == (64, 80)
            for i, m in zip(images, ids, strict=True)
        )
        assert set(np.unique(ids)) <= {0, 1, 2}
        again, _ = paste_objects(np.random.default_rng(seed), frames, [texture(9, 50, 60)])
        assert all(np.array_equal(a, b) for a, b in zip(images, again, strict=True))
        shown += any((m > 0).mean() > 0.05 for m in ids)
        unlike = [np.abs(i - f.astype(float)).mean(axis=2) for i, f in zip(images, frames, strict=True)]
        assert all(u[m == 1].mean() > u[m == 0].mean() for u, m in zip(unlike, ids, strict=True) if (m == 1).any())
    assert shown >= 4


def test_a_rollout_without_decoder_is_plain_propagation() -> None:
    clip = a_clip()
    first = Anchor(0, LabelMap(TRUTH[0]))
    propagated = list(Propagator(MemoryVideo(IMAGES), load_extractor("lab", "cpu")).run(
        PropagationRequest((first,), options=replace(OPTIONS, edges="bilinear"))
    ))  # fmt: skip
    for result, step in zip(propagated[1:], rollout(None, Task(clip, ((0,), (1,)))), strict=True):
        assert torch.equal(step.decoded, step.carried)
        for number, ours, true in zip((7, 200), step.decoded, step.truth, strict=True):
            there = result.labels.ids[::4, ::4] == number  # type: ignore[union-attr]
            assert ((ours > 0.5).numpy() == there).mean() > 0.93
            assert ((ours > 0.5) == (true > 0.5)).float().mean() > 0.9


def test_training_on_a_tiny_clip_lowers_the_loss_and_beats_matching() -> None:
    noisy = [i + np.random.default_rng(n).integers(-40, 40, i.shape) for n, i in enumerate(IMAGES)]
    clip = a_clip([n.clip(0, 255).astype(np.uint8) for n in noisy])
    training = DecoderTraining(RECIPE)
    lines = [training.step([clip]) for _ in range(4)]
    assert lines[0]["overlap"] == lines[0]["carried"]  # the first step sees matching alone
    assert lines[-1]["total"] < 0.6 * entropy_of_matching(clip)
    assert lines[-1]["overlap"] > lines[0]["overlap"] + 0.015


def entropy_of_matching(clip: MaskClip) -> float:
    rng = np.random.default_rng(0)
    cells = [c for step in rollout(None, Task(clip, ((0,), (1,)))) for c in draw_cells(step, 400, rng)]
    own, truth, weight = (torch.cat([getattr(c, n) for c in cells]) for n in ("own", "truth", "weight"))
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(odds_of(own), truth, weight, reduction="sum")
    return float(entropy / weight.sum())


def test_damage_to_the_labels_never_leaves_0_to_1_and_reaches_later_frames() -> None:
    clip, rng = a_clip(), np.random.default_rng(0)
    for task in draw_tasks([clip], replace(RECIPE, spoil=1.0, forget=1.0, tasks=8), rng):
        assert task.spoilt is not None and task.forget
        steps = list(rollout(MaskDecoder(), task, rng))
        assert all(step.decoded.min() >= 0 and step.decoded.max() <= 1 for step in steps)
        plain = list(rollout(MaskDecoder(), replace(task, spoilt=None)))
        assert torch.equal(steps[0].decoded, plain[0].decoded)
        assert not torch.equal(steps[-1].decoded, plain[-1].decoded)


def save(path: Path, decoder: MaskDecoder | None = None, encoder: str = "") -> Path:
    save_decoder(path, decoder or MaskDecoder(), RECIPE, encoder or load_extractor("lab", "cpu").sha256)
    return path


def propagate(options: PropagationOptions) -> list[np.ndarray]:
    request = PropagationRequest((Anchor(0, LabelMap(TRUTH[0])),), options=options)
    run = Propagator(MemoryVideo(IMAGES), load_extractor("lab", "cpu")).run(request)
    return [result.labels.ids for result in run]  # type: ignore[union-attr]


def test_a_cell_that_matching_gave_up_can_come_back() -> None:
    own = torch.tensor([[[0.0, 1.0, 0.5]]])
    assert torch.allclose(corrected(own, torch.full_like(own, 20.0)), torch.tensor([[[0.98, 1.0, 1.0]]]))
    assert torch.allclose(corrected(own, torch.full_like(own, -20.0)), torch.tensor([[[0.0, 0.02, 0.0]]]))


def test_propagation_with_a_fresh_decoder_is_propagation_without(tmp_path: Path) -> None:
    fresh = replace(OPTIONS, decoder=str(save(tmp_path / "decoder.pt")), rounds=2)
    assert all(np.array_equal(a, b) for a, b in zip(propagate(OPTIONS), propagate(fresh), strict=True))
    other = replace(OPTIONS, decoder=str(save(tmp_path / "decoder.pt", trained(MaskDecoder()))))
    assert not all(np.array_equal(a, b) for a, b in zip(propagate(OPTIONS), propagate(other), strict=True))


def test_what_is_no_decoder_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such weights file"):
        propagate(replace(OPTIONS, decoder=str(tmp_path / "none.pt")))
    save_file(tmp_path / "other.pt", {"recipe": {"name": "mast"}, "state_dict": {}})
    with pytest.raises(ValueError, match="no mask decoder in it"):
        load_decoder(tmp_path / "other.pt")
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a readable weights file"):
        load_decoder(tmp_path / "broken.pt")


def test_where_none_is_bundled_it_is_said_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.resources._PLACES", (tmp_path,))
    with pytest.raises(ValueError, match=r"^no mask decoder is bundled .*; train one .* and name its decoder\.pt$"):
        find_decoder(PropagationOptions(decoder="bundled"), load_extractor("lab", "cpu"))
    assert find_decoder(PropagationOptions(decoder=None), load_extractor("lab", "cpu")) is None


def test_a_decoder_of_another_encoder_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "decoder.pt", encoder="0" * 64)
    with pytest.raises(ValueError, match="another encoder than lab; train one"):
        propagate(replace(OPTIONS, decoder=str(path)))
    propagate(replace(OPTIONS, decoder=None))  # left to the program, it is just not used


def test_clips_and_recipes_travel_unchanged_through_files(tmp_path: Path) -> None:
    clip = a_clip()
    clip.save(tmp_path / "clip.pt")
    again = MaskClip.load(tmp_path / "clip.pt")
    assert again.references == clip.references == ((), (0,), (0, 1), (0, 2), (0, 1, 3))
    assert all(torch.equal(getattr(again, n), getattr(clip, n)) for n in ("features", "weight", "index", "masks"))
    assert MaskVosRecipe.from_dict(RECIPE.as_dict()) == RECIPE
    with pytest.raises(ValueError, match="length cannot be 1"):
        MaskVosRecipe(length=1)


def test_training_goes_on_where_its_checkpoint_is(tmp_path: Path) -> None:
    clip, one = a_clip(), DecoderTraining(RECIPE)
    one.step([clip])
    one.save(tmp_path / "checkpoint.pt")
    other = DecoderTraining(RECIPE)
    other.load(tmp_path / "checkpoint.pt")
    assert other.step([clip]) == one.step([clip])
    with pytest.raises(ValueError, match="another recipe or seed"):
        DecoderTraining(RECIPE, seed=1).load(tmp_path / "checkpoint.pt")


def test_a_run_leaves_a_decoder_for_its_encoder_and_can_go_on(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    recipe = MaskVosRecipe(clips=3, length=4, size=(32, 40), tasks=3, fits=5, batch=64)
    lines: list[dict[str, object]] = []
    run = options(corpus, tmp_path / "run", recipe=recipe.name, steps=2)
    path = train_decoder(run, lines.append, recipe)
    decoder, encoder = load_decoder(path)
    assert path.name == "decoder.pt" and encoder == load_extractor(None, "cpu").sha256
    assert [line["step"] for line in lines] == [1, 2]
    train_decoder(replace(run, steps=3, resume=True), lines.append, recipe)
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert not torch.equal(load_decoder(path)[0].leave.weight, decoder.leave.weight)
    with pytest.raises(ValueError, match="holds a run already"):
        train_decoder(run, None, recipe)


def test_videos_that_are_too_short_are_said_to_be(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    with pytest.raises(ValueError, match="crop 64 means nothing to the recipe mask_vos"):
        train_decoder(options(corpus, tmp_path / "run", recipe="mask_vos", crop=64))
    with pytest.raises(ValueError, match="no video has 40 frames"):
        train_decoder(options(corpus, tmp_path / "run", recipe="mask_vos"), None, MaskVosRecipe(length=40))


def test_the_command_line_s_options_come_through() -> None:
    def chosen(*rare: str, decoder: str | None = DEFAULT.decoder) -> PropagationOptions:
        return propagation_options(rare=list(rare), decoder=decoder)

    assert chosen().decoder == "off" and chosen().rounds == 1
    given = chosen("rounds=3", decoder="mine.pt")
    assert (given.decoder, given.rounds) == ("mine.pt", 3)
    with pytest.raises(ValueError, match="option rounds cannot be 0"):
        chosen("rounds=0")
    with pytest.raises(ValueError, match="option decoder cannot be ''"):
        chosen(decoder="")
