"""Optical flow: what moved, for the channel fusion of eq (5) and for showing (docs/method.md, 9).

Everything here speaks of *backward* flow: at pixel p of a frame stands the (x, y) that leads to the same thing in a
frame before it, so previous(p + flow(p)) looks like current(p). What a thing that moves to the right has is negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from model.types import FloatArray, UInt8Array

ENCODINGS = {"vector": 2, "wheel": 3, "magnitude": 1}
"""What the network is shown of the motion, and in how many channels."""

SHORT_SIDE = 256
"""Flow is estimated on pictures of at most this short side, in training and in use alike."""

_STILL = 0.5  # pixels: where nothing moves further, noise must not be blown up to motion
_TYPICAL = 0.99  # the quantile of the lengths that becomes 1: the very longest vectors are mistakes
_DIS_SIDE, _RAFT_SIDE = 16, 128  # the smallest pictures that the two can work on
_RAFT_NAME = "raft_small"


@dataclass(frozen=True, slots=True)
class FlowOptions:
    """Which motion the encoder is shown beside the picture.

    backend:  "dis" (OpenCV's dense inverse search: classical, no weights), "raft" (torchvision's small RAFT, whose
              weights were learned with supervision) or "none" (nothing ever moves: the control).
    encoding: "vector" = (x, y), "wheel" = the picture in colours that the paper shows, "magnitude" = length alone.
    gap:      g of eq (5), frames from the previous frame to the current one.
    """

    backend: str = "dis"
    encoding: str = "vector"
    gap: int = 1

    def __post_init__(self) -> None:
        if self.backend not in ("dis", "raft", "none"):
            raise ValueError(f"flow backend is dis, raft or none, not {self.backend!r}")
        if self.encoding not in ENCODINGS:
            raise ValueError(f"flow encoding is {', '.join(ENCODINGS)}, not {self.encoding!r}")
        if self.gap not in (1, 2, 5):
            raise ValueError(f"flow gap is 1, 2 or 5 frames, not {self.gap}")


class FlowBackend(Protocol):
    """Estimates raw backward flow: two uint8 [H, W, 3] RGB pictures -> float32 [2, H, W] in pixels, (x, y)."""

    def __call__(self, previous: UInt8Array, current: UInt8Array) -> FloatArray: ...


def load_backend(name: str, weights: Path | None = None, device: torch.device | str = "cpu") -> FlowBackend:
    """The backend of that name. ValueError for RAFT without weights, or for a file that holds others.

    weights: RAFT's, a local file; left out, those that `fetch_raft` brought here once. Nothing is downloaded.
    """
    if name == "raft":
        return Raft(weights or _fetched_raft(), device)
    return {"dis": dis, "none": still}[name]


def dis(previous: UInt8Array, current: UInt8Array) -> FloatArray:
    """Dense inverse search (Kroeger et al., 2016) on brightness."""
    height, width = current.shape[:2]
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (current, previous)]
    missing = (max(0, _DIS_SIDE - height), max(0, _DIS_SIDE - width))
    if any(missing):
        grey = [cv2.copyMakeBorder(g, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE) for g in grey]
    # One for each call: it keeps buffers, and threads and processes must not share them.
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = search.calc(grey[0], grey[1], None)  # type: ignore[call-overload]
    return np.ascontiguousarray(found[:height, :width].transpose(2, 0, 1), np.float32)


def still(previous: UInt8Array, current: UInt8Array) -> FloatArray:
    """The flow of a world without motion."""
    return np.zeros((2, *current.shape[:2]), np.float32)


class Raft:
    """torchvision's small RAFT (Teed and Deng, 2020) with weights from a file."""

    def __init__(self, weights: Path, device: torch.device | str = "cpu") -> None:
        from torchvision.models.optical_flow import raft_small

        self._device = torch.device(device)
        network: nn.Module = raft_small()
        try:
            network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        except OSError as error:
            raise ValueError(f"{weights}: cannot be read ({error.strerror or error}); check name and access") from None
        except Exception:  # damaged bytes can trip the reader anywhere
            raise ValueError(f"{weights}: not the weights of torchvision's {_RAFT_NAME}; fetch them again") from None
        self._network = network.eval().requires_grad_(False).to(self._device)

    @torch.inference_mode()
    def __call__(self, previous: UInt8Array, current: UInt8Array) -> FloatArray:
        height, width = current.shape[:2]
        enlarged = max(1.0, _RAFT_SIDE / min(height, width))
        size = [math.ceil(side * enlarged / 8) * 8 for side in (height, width)]
        pair = torch.from_numpy(np.stack([current, previous])).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        pair = nn.functional.interpolate(pair, size, mode="bilinear", antialias=True)
        flow = self._network(pair[:1], pair[1:])[-1]  # each iteration gives one, the last is the best
        flow = nn.functional.interpolate(flow, (height, width), mode="bilinear")[0]
        scale = torch.tensor([width / size[1], height / size[0]], device=flow.device)
        return np.asarray((flow * scale[:, None, None]).cpu(), np.float32)


def fetch_raft() -> Path:
    """Download RAFT's weights (4 MB, from torchvision's server) to torch's cache, and return the file.

    For a user who asked for it: nothing else in `model` calls this. OSError if it cannot be reached or written.
    """
    from torchvision.models.optical_flow import Raft_Small_Weights

    Raft_Small_Weights.C_T_V2.get_state_dict(progress=False, check_hash=True)
    return _fetched_raft()


def _fetched_raft() -> Path:
    from torchvision.models.optical_flow import Raft_Small_Weights

    file = Path(torch.hub.get_dir()) / "checkpoints" / str(Raft_Small_Weights.C_T_V2.url).rpartition("/")[2]
    if not file.exists():
        raise ValueError("RAFT has no weights here: name their file, fetch them with model.flow.fetch_raft, or use dis")
    return file


class Motion:
    """The motion of frames: backward flow without what the camera did, as the network is shown it."""

    def __init__(self, options: FlowOptions, weights: Path | None = None, device: torch.device | str = "cpu") -> None:
        self.options = options
        self._backend = load_backend(options.backend, weights, device)

    def __call__(self, previous: UInt8Array, current: UInt8Array) -> FloatArray:
        """Two uint8 [H, W, 3] RGB pictures -> float32 [2, H, W], `normalise_flow` of their backward flow."""
        height, width = current.shape[:2]
        scale = min(1.0, SHORT_SIDE / min(height, width))
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            previous, current = (
                np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
                for image in (previous, current)
            )
        flow = normalise_flow(self._backend(previous, current))
        if scale < 1:
            flow = np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_LINEAR) for f in flow])
        return flow

    def of(self, read: Callable[[int], UInt8Array], frame: int, count: int) -> FloatArray:
        """The motion at one frame of a video of `count` frames, of which `read` gives the pictures.

        Where no frame lies `gap` before it, it is the forward flow to the frame `gap` behind, turned round: what
        moves there is taken to have moved so before. A video that is too short for either stands still.
        """
        current, gap = read(frame), self.options.gap
        if self.options.backend == "none" or count <= gap:
            return still(current, current)
        if frame >= gap:
            return self(read(frame - gap), current)
        if frame + gap < count:
            return -self(read(frame + gap), current)
        return still(current, current)


def normalise_flow(flow: FloatArray) -> FloatArray:
    """Raw flow [2, H, W] in pixels -> motion [2, H, W] of lengths 0..1.

    The median is taken off, which is what the camera did if most of the picture is background. The rest is divided by
    its own typical greatest length, so that neither frame rate nor size of the picture matter.
    """
    flow = flow - np.median(flow, axis=(1, 2), keepdims=True)
    length = np.hypot(flow[0], flow[1])
    scale = max(float(np.quantile(length, _TYPICAL)), _STILL)
    return np.asarray(flow / np.maximum(length, scale), np.float32)


def encode_flow(flow: Tensor, encoding: str) -> Tensor:
    """Motion [..., 2, H, W] -> what the network is shown of it, [..., C, H, W], C as in ENCODINGS; 0 stands still."""
    if encoding == "vector":
        return flow
    if encoding == "magnitude":
        return _length(flow)
    return flow_picture(flow) - 1  # white, the colour of what stands still, becomes nothing


def flow_picture(flow: Tensor) -> Tensor:
    """Motion [..., 2, H, W] as a picture [..., 3, H, W], RGB in 0..1: the hue says where things go, white stands still.

    To the right is red, down yellow-green, to the left cyan, up violet.
    """
    x, y = flow.neg().unbind(-3)  # it points to where things come from
    sixths = torch.atan2(y, x) * (3 / math.pi)
    # Each colour channel is a trapezoid over the hue (HSV of full value, with the length as saturation).
    offsets = torch.tensor([5.0, 3.0, 1.0], device=flow.device)[:, None, None]
    turn = (offsets + sixths.unsqueeze(-3)).remainder(6)
    return 1 - _length(flow).clamp(max=1) * torch.minimum(turn, 4 - turn).clamp(0, 1)


def _length(flow: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(flow, dim=-3, keepdim=True)
    return length
