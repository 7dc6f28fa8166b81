"""Feature extractors: images in, matching features out. What the propagator looks through."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from model.colour import rgb_to_lab
from model.device import bf16_is_fast, pick_device
from model.encoder import STRIDE, Encoder
from model.flow import Motion
from model.folded import folded
from model.grid import pad_to_stride
from model.network import MatchingNetwork, load_network
from model.recipes import Recipe
from model.resources import resource
from model.training.checkpoint import file_hash, load_file
from model.types import PropagationOptions

CONTROLS = ("untrained", "lab")


class FeatureExtractor(Protocol):
    """Maps uint8 RGB [B, 3, H, W] to unit-length features [B, C, ceil(H/4), ceil(W/4)] on `device`.

    name, sha256 and recipe identify it in reports and caches. channels: C.
    """

    name: str
    sha256: str
    recipe: str
    device: torch.device
    channels: int

    def __call__(self, images: Tensor) -> Tensor: ...


def load_extractor(
    weights: Path | str | None = None,
    device: str | None = None,
    precision: str = "auto",
    flow_weights: Path | None = None,
) -> FeatureExtractor:
    """The bundled encoder (None), a weights file, or one of the controls "untrained" and "lab".

    device: "cpu", "cuda", "cuda:1", "mps" or None for the best there is; precision: "auto", "fp32" or "bf16";
    flow_weights: RAFT's, for an encoder that learned with it. ValueError for an unreadable or foreign file, an unknown
    device or precision.
    """
    if precision not in ("auto", "fp32", "bf16"):
        raise ValueError(f"precision is auto, fp32 or bf16, not {precision!r}")
    where = pick_device(device)
    bf16 = bf16_is_fast(where) if precision == "auto" else precision == "bf16"
    if str(weights) == "lab":
        return LabFeatures(where)
    if str(weights) == "untrained":
        return EncoderFeatures(untrained_encoder(), where, bf16, "untrained", "-", "none")
    path = Path(weights) if weights is not None else resource("encoder.pt")
    content = load_file(path)
    no_encoder = ValueError(f"{path}: no encoder weights in it (a checkpoint? give the run's encoder.pt)")
    try:
        data, state = content["recipe"], content["state_dict"]
    except KeyError:
        raise no_encoder from None
    try:
        recipe = Recipe.from_dict(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    try:
        network = load_network(recipe, state)
    except ValueError:
        raise no_encoder from None
    about = ("bundled" if weights is None else path.name, file_hash(path), recipe.name)
    prior = recipe.compactness
    compact = prior.infer_above if prior is not None and prior.in_propagation else 1.0
    if recipe.flow is None and recipe.value is None:
        return EncoderFeatures(network, where, bf16, *about, compact=compact)
    return MotionFeatures(network, recipe, where, bf16, *about, compact=compact, flow_weights=flow_weights)


def untrained_encoder() -> Encoder:
    """The control: random weights, the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Encoder()


class EncoderFeatures:
    """The encoder Φ, ready for inference.

    compact: what `PropagationOptions.compact` is when nobody says otherwise.
    """

    def __init__(
        self,
        encoder: Encoder,
        device: torch.device,
        bf16: bool,
        name: str,
        sha256: str,
        recipe: str,
        compact: float = 1.0,
    ) -> None:
        self.name, self.sha256, self.recipe, self.device, self.bf16 = name, sha256, recipe, device, bf16
        self.compact, self.channels = compact, encoder.config.channels
        self._encoder = folded(encoder.to(device), torch.bfloat16 if bf16 else torch.float32)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        with self._autocast():
            features = self._encoder(self._to_lab(images))
        return F.normalize(features.float(), dim=1)

    def _to_lab(self, images: Tensor) -> Tensor:
        return rgb_to_lab(pad_to_stride(images.to(self.device))).contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


class MotionFeatures(EncoderFeatures):
    """A network with channel fusion or value extraction: what it makes of a frame depends on other frames too.

    Called with images alone, it takes each for a still of which nothing else is known.
    flow:  estimates the motion that `encode` wants, or None; value: how value extraction is used, or None without it.
    """

    def __init__(
        self,
        network: MatchingNetwork,
        recipe: Recipe,
        device: torch.device,
        bf16: bool,
        name: str,
        sha256: str,
        title: str,
        compact: float = 1.0,
        flow_weights: Path | None = None,
    ) -> None:
        super().__init__(network, device, bf16, name, sha256, title, compact)
        self.flow = None if recipe.flow is None else Motion(recipe.flow, flow_weights, device)
        self.value = None if recipe.value is None else recipe.value.inference
        assert isinstance(self._encoder, MatchingNetwork)
        self._network = self._encoder

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        plain = self.encode(images, None)
        if self.value in (None, "off"):
            return F.normalize(plain, dim=1)
        return torch.cat([self.extract(x[0], x, x)[0] for x in (plain[n : n + 1] for n in range(len(plain)))])

    @torch.inference_mode()
    def encode(self, images: Tensor, motion: Tensor | None) -> Tensor:
        """x = Φ(O), eqs (5) and (6), of any length: uint8 [B, 3, H, W], motion [B, 2, H, W] or None -> [B, C, h, w]."""
        if motion is not None:
            motion = pad_to_stride(motion.to(self.device))
        with self._autocast():
            features: Tensor = self._network(self._to_lab(images), motion)
        return features.float()

    @torch.inference_mode()
    def extract(self, target: Tensor, references: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Value extraction (eqs 7-12) on what `encode` gave: target [C, h, w], references [R, C, h, w].

        Returns the features of `frames` [F, C, h, w], some of these, at unit length; and the target's value map [h, w].
        """
        extraction = self._network.extraction
        assert extraction is not None, "a network without value extraction"
        with self._autocast():
            key, value = extraction.keys(target[None], references[None])
            out = [extraction(frame[None], key).float() for frame in frames]
        return F.normalize(torch.cat([frames[:0], *out]), dim=1), value[0]


def fill_in(options: PropagationOptions, extractor: FeatureExtractor) -> PropagationOptions:
    """What the options leave to the encoder (None) as the encoder's recipe has it."""
    compact = extractor.compact if isinstance(extractor, EncoderFeatures) else 1.0
    value = extractor.value if isinstance(extractor, MotionFeatures) else None
    return replace(
        options,
        compact=compact if options.compact is None else options.compact,
        value=options.value or value or "off",
    )


class LabFeatures:
    """The control without any network: the colour around each cell.

    A fourth channel completes every colour to one length, so that the dot product falls with the distance of two
    colours; `_CONTRAST` makes the usual temperature as selective on colours as on features.
    """

    _CONTRAST = 6.0
    channels = 4

    def __init__(self, device: torch.device) -> None:
        self.name, self.recipe, self.device = "lab", "none", device
        self.sha256 = hashlib.sha256(b"lab").hexdigest()

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        colour = cell_colours(images.to(self.device)) / 3**0.5
        rest = (1 - colour.square().sum(dim=1, keepdim=True)).clamp_min(0).sqrt()
        return torch.cat([colour, rest], dim=1) * self._CONTRAST


def cell_colours(images: Tensor) -> Tensor:
    """uint8 RGB [B, 3, H, W] -> normalised Lab [B, 3, h, w], the mean of the 5×5 pixels around each cell's centre."""
    lab = rgb_to_lab(pad_to_stride(images))
    return F.avg_pool2d(F.pad(lab, (2, 2, 2, 2), mode="replicate"), 5, stride=STRIDE)


def as_key(features: Tensor, colours: Tensor) -> Tensor:
    """Features [C, h, w] and cell colours [3, h, w] -> matching vectors [C + 4, h, w] of a reference, channels last."""
    parts = features, colours, colours.square().sum(dim=0, keepdim=True) / 2
    return torch.cat([part.permute(1, 2, 0) for part in parts], dim=2).permute(2, 0, 1)


def as_query(key: Tensor, weight: float) -> Tensor:
    """The same of a query, so that <query, key> = <q, k> - weight / 2 · |colour distance|², up to a constant per query.

    Raw colour is what short training learns last, and what holds from one frame to the next.
    """
    query = key.clone()
    query[-4:-1] *= weight
    query[-1] = -weight
    return query


def without_colour(key: Tensor) -> Tensor:
    """The features [..., C, h, w] in matching vectors."""
    return key[..., :-4, :, :]


def colours_of(key: Tensor) -> Tensor:
    """The colours of the cells [..., 3, h, w] in matching vectors."""
    return key[..., -4:-1, :, :]


def common_product(key: Tensor, weight: float) -> Tensor:
    """The constant of `as_query`, [h, w]: what <query, key> is for cells of one colour whose features are unrelated."""
    return weight * key[-1]
