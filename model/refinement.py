"""The mask decoder in propagation: loading one, and correcting the labels of frame after frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from model.affinity import Affinity
from model.features import FeatureExtractor, colours_of, without_colour
from model.grid import by_label
from model.mask_decoder import MaskDecoder, others_of
from model.mask_views import FrameLooks, Looks, joint_vectors, likeness, views
from model.memory import Entry
from model.recipes.mask_vos import MaskVosRecipe
from model.resources import resource
from model.training.checkpoint import load_file, save_file
from model.types import PropagationOptions

BUNDLED = "bundled"
OFF = "off"


def save_decoder(path: Path, decoder: MaskDecoder, recipe: MaskVosRecipe, encoder: str) -> None:
    """The decoder in half precision, with its recipe and the sha256 of the encoder that it belongs to."""
    tensors = {name: tensor.half() for name, tensor in decoder.state_dict().items()}
    save_file(path, {"recipe": recipe.as_dict(), "encoder": encoder, "state_dict": tensors})


def load_decoder(path: Path) -> tuple[MaskDecoder, str]:
    """The decoder of a file, ready for use, and the sha256 of its encoder. ValueError for any other file."""
    content = load_file(path)
    try:
        recipe, state, encoder = MaskVosRecipe.from_dict(content["recipe"]), content["state_dict"], content["encoder"]
        decoder = MaskDecoder(recipe.decoder)
        decoder.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"{path}: no mask decoder in it; give the decoder.pt of a run of the recipe mask_vos"
        ) from None
    return decoder.eval().requires_grad_(False), str(encoder)


def find_decoder(options: PropagationOptions, extractor: FeatureExtractor) -> MaskDecoder | None:
    """The decoder that the options name, on the extractor's device; None for none.

    Left to us (None), it is the bundled one if that belongs to this encoder. ValueError for a file without a decoder,
    or one that learned with another encoder.
    """
    if options.decoder == OFF:
        return None
    if options.decoder is not None and options.decoder != BUNDLED:
        path = Path(options.decoder)
    else:
        try:
            path = resource("mask_decoder.pt")
        except ValueError:
            if options.decoder is None:
                return None
            raise ValueError(
                "no mask decoder is bundled with this release; train one (mer train FOLDERS --recipe mask_vos) and "
                "name its decoder.pt"
            ) from None
    decoder, encoder = load_decoder(path)
    if encoder != extractor.sha256:
        if options.decoder is None:
            return None
        raise ValueError(
            f"{path}: this mask decoder learned with another encoder than {extractor.name}; "
            "train one with this encoder, or switch the decoder off"
        )
    return decoder.to(extractor.device)


@dataclass(slots=True)
class Refiner:
    """Corrects the labels of one walk. How objects look in the frames that a person labelled is kept meanwhile."""

    decoder: MaskDecoder
    rounds: int = 1
    _looks: tuple[list[Entry], list[Looks]] = field(default_factory=lambda: ([], []))

    @torch.inference_mode()
    def refine(
        self,
        query: Tensor,
        keys: Tensor,
        references: Mapping[int, Entry],
        given: Collection[int],
        affinity: Affinity,
        carried: Entry,
        count: int,
    ) -> tuple[Tensor, Tensor]:
        """From Ȳ_q what later frames vote with, and Ŷ_q: float32 [L, 2h, 2w] for L = count objects.

        The decoder sees whole cells: what it changes, it changes in all labels of one alike.

        query [C + 4, h, w], keys [R, C + 4, h, w]: matching vectors; references: by frame, in the order of the keys,
        with the L objects as the first of their channels; given: the frames among them that a person labelled;
        carried: labels along the votes. An object that no reference behind knows of stays unknown.
        """
        by_person = [frame in given for frame in references]
        vectors = self._vectors(keys)
        target = self._vectors(query)
        frame = FrameLooks.of(target, vectors, affinity, torch.tensor(by_person))
        told = frame.votes.apply(torch.stack([entry.shares[:count] for entry in references.values()]))
        seen = [(e, v) for e, v, yes in zip(references.values(), vectors, by_person, strict=True) if yes]
        like = torch.stack([likeness(target, looks) for looks in self._looks_of(seen, count)])
        before = carried.shares[:count]
        values = before
        for _ in range(self.rounds):
            values = self.decoder.correct(values, views(values, others_of(values), told, like, frame))
        values = values * carried.known[:count, None, None].to(values.device)
        kept, shown = (by_label(v - before) for v in (self.decoder.remembered(before, values), values))
        return (carried.values[:count] + kept).clamp(0, 1), (carried.values[:count] + shown).clamp(0, 1)

    def _vectors(self, keys: Tensor) -> Tensor:
        return joint_vectors(without_colour(keys).float(), colours_of(keys).float(), self.decoder.config.colour)

    def _looks_of(self, seen: list[tuple[Entry, Tensor]], count: int) -> list[Looks]:
        """What each object looks like in the frames that a person labelled and that know of it."""
        entries = [entry for entry, _ in seen]
        if len(entries) != len(self._looks[0]) or any(a is not b for a, b in zip(entries, self._looks[0], strict=True)):
            looks = []
            for n in range(count):
                knows = [i for i, entry in enumerate(entries) if entry.known[n]]
                looks.append(Looks.of([seen[i][1] for i in knows], [entries[i].shares[n] for i in knows]))
            self._looks = (entries, looks)
        return self._looks[1]
