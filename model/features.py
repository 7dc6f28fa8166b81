"""Feature extractors: images in, matching features out. What the propagator looks through."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from model.colour import rgb_to_lab
from model.device import bf16_is_fast, pick_device
from model.encoder import STRIDE, Encoder, EncoderConfig
from model.grid import pad_to_stride
from model.resources import resource
from model.training.checkpoint import file_hash, load_file

CONTROLS = ("untrained", "lab")


class FeatureExtractor(Protocol):
    """Maps uint8 RGB [B, 3, H, W] to unit-length features [B, C, ceil(H/4), ceil(W/4)] on `device`.

    name, sha256 and recipe identify it in reports and caches.
    """

    name: str
    sha256: str
    recipe: str
    device: torch.device

    def __call__(self, images: Tensor) -> Tensor: ...


def load_extractor(
    weights: Path | str | None = None, device: str | None = None, precision: str = "auto"
) -> FeatureExtractor:
    """The bundled encoder (None), a weights file, or one of the controls "untrained" and "lab".

    device: "cpu", "cuda", "cuda:1", "mps" or None for the best there is; precision: "auto", "fp32" or "bf16".
    ValueError for an unreadable or foreign file, an unknown device or precision.
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
    try:
        recipe = content["recipe"]
        encoder = Encoder(EncoderConfig(tuple(recipe["encoder"]["widths"]), recipe["encoder"]["channels"]))
        encoder.load_state_dict(content["state_dict"])
    except (KeyError, TypeError, RuntimeError, ValueError):
        raise ValueError(f"{path}: no encoder weights in it (a checkpoint? give the run's encoder.pt)") from None
    name = "bundled" if weights is None else path.name
    return EncoderFeatures(encoder, where, bf16, name, file_hash(path), recipe["name"])


def untrained_encoder() -> Encoder:
    """The control: random weights, the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Encoder()


class EncoderFeatures:
    """The encoder Φ, ready for inference."""

    def __init__(self, encoder: Encoder, device: torch.device, bf16: bool, name: str, sha256: str, recipe: str) -> None:
        self.name, self.sha256, self.recipe, self.device, self.bf16 = name, sha256, recipe, device, bf16
        self._encoder = encoder.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        lab = rgb_to_lab(pad_to_stride(images.to(self.device)))
        lab = lab.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            features = self._encoder(lab)
        return F.normalize(features.float(), dim=1)


class LabFeatures:
    """The control without any network: the colour around each cell.

    A fourth channel completes every colour to one length, so that the dot product falls with the distance of two
    colours; `_CONTRAST` makes the usual temperature as selective on colours as on features.
    """

    _CONTRAST = 6.0

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
    """Features [C, h, w] and cell colours [3, h, w] -> matching vectors [C + 4, h, w] of a reference."""
    return torch.cat([features, colours, colours.square().sum(dim=0, keepdim=True) / 2])


def as_query(key: Tensor, weight: float) -> Tensor:
    """The same of a query, so that <query, key> = <q, k> - weight / 2 · |colour distance|², up to a constant per query.

    Raw colour is what short training learns last, and what holds from one frame to the next.
    """
    query = key.clone()
    query[-4:-1] *= weight
    query[-1] = -weight
    return query
