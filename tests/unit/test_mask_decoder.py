from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.features import load_extractor
from model.mask_decoder import DecoderConfig, Looks, MaskDecoder, corrected, likeness, share_out
from model.propagator import Propagator
from model.pseudo_masks import pseudo_masks
from model.recipes.mask_vos import MaskVosRecipe
from model.refinement import load_decoder, save_decoder
from model.training.checkpoint import save_file
from model.training.mask_clips import MaskClip, prepare
from model.training.mask_vos import DecoderTraining, draw_tasks, mask_loss, train_decoder
from model.training.pasted import paste_objects
from model.training.rollout import Task, rollout
from model.types import Anchor, LabelMap, PropagationOptions, PropagationRequest
from tests.corpora import options, write_corpus
from tests.videos import MemoryVideo, moving_squares, texture

LAB = DecoderConfig(channels=4)  # for the features of plain colours
RECIPE = MaskVosRecipe(decoder=LAB, batch=2, spoil=0.0, forget=0.0, warmup=1, learning_rate=5e-3)
OPTIONS = PropagationOptions(short_side=None, radius=6)
IMAGES, TRUTH = moving_squares(frames=5)


def maps(*channels: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*channels, 6, 9, generator=torch.Generator().manual_seed(seed))


def a_clip(images: list[np.ndarray] = IMAGES, truth: list[np.ndarray] = TRUTH) -> MaskClip:
    cells = [torch.from_numpy(np.stack([t[::4, ::4] == n for n in (7, 200)])) for t in truth]
    return prepare(images, torch.stack(cells, dim=1).byte() * 255, load_extractor("lab", "cpu"), OPTIONS)


def test_a_fresh_decoder_changes_nothing() -> None:
    decoder = MaskDecoder()
    own, others = maps(2), maps(2, seed=1) * 0.3
    look = decoder.look(maps(2, 64), maps(2, 3))
    assert look.shape == (2, 16, 6, 9)
    embedded = decoder.embed(look, own, others)
    assert embedded.shape == (2, 16, 6, 9)
    change = decoder(look, embedded, own, others, maps(2), maps(2, 3))
    assert change.shape == own.shape and torch.equal(corrected(own, change), own)


def test_a_trained_decoder_changes_something_and_stays_within_0_and_1() -> None:
    decoder = MaskDecoder()
    torch.nn.init.normal_(decoder.leave.weight, generator=torch.Generator().manual_seed(0))
    own = maps(3)
    look = decoder.look(maps(3, 64), maps(3, 3))
    out = corrected(own, decoder(look, decoder.embed(look, own, own * 0), own, own * 0, maps(3), maps(3, 3)))
    assert out.shape == own.shape and out.min() >= 0 and out.max() <= 1
    assert (out - own).abs().max() > 0.1


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
    for result, step in zip(propagated[1:], rollout(None, [Task(clip, ((0,), (1,)))]), strict=True):
        assert torch.equal(step.decoded, step.carried)
        for number, ours, true in zip((7, 200), step.decoded, step.truth, strict=True):
            there = result.labels.ids[::4, ::4] == number  # type: ignore[union-attr]
            assert ((ours > 0.5).numpy() == there).mean() > 0.93
            assert ((ours > 0.5) == (true > 0.5)).float().mean() > 0.9


def test_training_on_a_tiny_clip_lowers_the_loss_and_beats_matching() -> None:
    noisy = [i + np.random.default_rng(n).integers(-40, 40, i.shape) for n, i in enumerate(IMAGES)]
    clip = a_clip([n.clip(0, 255).astype(np.uint8) for n in noisy])
    training = DecoderTraining(RECIPE)
    lines = [training.step([clip], 0.0) for _ in range(40)]
    first, last = lines[0], [float(np.mean([line[k] for line in lines[-5:]])) for k in ("total", "overlap")]
    assert last[0] < 0.6 * first["total"]
    assert last[1] > first["overlap"] + 0.05


def test_damage_to_the_labels_is_drawn_anew_by_the_seed_and_never_leaves_0_to_1() -> None:
    clip = a_clip()
    recipe = replace(RECIPE, spoil=1.0, forget=1.0, batch=6)
    rng = np.random.default_rng(0)
    tasks = draw_tasks([clip], recipe, rng)
    assert all(task.spoilt is not None and task.forget for task in tasks)
    frames = list(rollout(MaskDecoder(LAB), tasks, 1, rng))
    assert all(shares.min() >= 0 and shares.max() <= 1 for shares in (step.decoded for step in frames))
    plain = list(rollout(MaskDecoder(LAB), [replace(t, spoilt=None) for t in tasks]))
    assert not torch.equal(frames[-1].decoded, plain[-1].decoded)


def test_the_loss_of_an_object_that_is_gone_counts_what_is_left_of_it() -> None:
    truth = torch.zeros(1, 6, 9)
    assert mask_loss(truth - 9, truth) < 0.01
    assert mask_loss(truth, truth) > 0.3


def save(path: Path, **changes: object) -> Path:
    encoder = load_extractor("lab", "cpu").sha256
    decoder = MaskDecoder(LAB)
    if changes.get("trained"):
        torch.nn.init.normal_(decoder.leave.weight, std=0.5, generator=torch.Generator().manual_seed(0))
    save_decoder(path, decoder, RECIPE, str(changes.get("encoder", encoder)))
    return path


def propagate(options: PropagationOptions) -> list[np.ndarray]:
    anchors = (Anchor(0, LabelMap(TRUTH[0])),)
    run = Propagator(MemoryVideo(IMAGES), load_extractor("lab", "cpu")).run(
        PropagationRequest(anchors, options=options)
    )
    return [result.labels.ids for result in run]  # type: ignore[union-attr]


def test_a_cell_that_matching_gave_up_can_come_back() -> None:
    own = torch.tensor([[[0.0, 1.0, 0.5]]])
    assert torch.allclose(corrected(own, torch.full_like(own, 20.0)), torch.tensor([[[0.98, 1.0, 1.0]]]))
    assert torch.allclose(corrected(own, torch.full_like(own, -20.0)), torch.tensor([[[0.0, 0.02, 0.0]]]))


def test_propagation_with_a_fresh_decoder_is_propagation_without(tmp_path: Path) -> None:
    fresh = replace(OPTIONS, decoder=str(save(tmp_path / "decoder.pt")), rounds=2)
    assert all(np.array_equal(a, b) for a, b in zip(propagate(OPTIONS), propagate(fresh), strict=True))
    trained = replace(OPTIONS, decoder=str(save(tmp_path / "decoder.pt", trained=True)))
    assert not all(np.array_equal(a, b) for a, b in zip(propagate(OPTIONS), propagate(trained), strict=True))


def test_what_is_no_decoder_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such weights file"):
        propagate(replace(OPTIONS, decoder=str(tmp_path / "none.pt")))
    save_file(tmp_path / "other.pt", {"recipe": {"name": "mast"}, "state_dict": {}})
    with pytest.raises(ValueError, match="no mask decoder in it"):
        load_decoder(tmp_path / "other.pt")
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a readable weights file"):
        load_decoder(tmp_path / "broken.pt")


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
    one.step([clip], 0.0)
    one.save(tmp_path / "checkpoint.pt")
    other = DecoderTraining(RECIPE)
    other.load(tmp_path / "checkpoint.pt")
    assert other.step([clip], 0.1) == one.step([clip], 0.1)
    with pytest.raises(ValueError, match="another recipe or seed"):
        DecoderTraining(RECIPE, seed=1).load(tmp_path / "checkpoint.pt")


def test_a_run_leaves_a_decoder_for_its_encoder_and_can_go_on(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    recipe = MaskVosRecipe(clips=3, length=4, size=(32, 40), batch=2)
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
    with pytest.raises(ValueError, match="no video has 40 frames"):
        train_decoder(options(corpus, tmp_path / "run", recipe="mask_vos"), None, MaskVosRecipe(length=40))
