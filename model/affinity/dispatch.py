"""Whether the Triton kernel runs here, and does what it should."""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib.util import find_spec
from types import ModuleType

import torch
from torch.nn.functional import normalize

from model.affinity.reference import reference_affinity
from model.device import bf16_is_fast


@lru_cache
def kernel_on(device: torch.device) -> ModuleType | None:
    """`model.affinity.kernel` if it is of use here: on an NVIDIA card with quick bfloat16, with Triton in order."""
    if device.type != "cuda" or torch.version.hip is not None or not bf16_is_fast(device):
        return None
    if find_spec("triton") is None:
        return None
    try:
        from model.affinity import kernel

        agrees = _agrees(kernel, device)
    except (
        Exception
    ) as error:  # it is compiled when first asked; where that fails (no C compiler, say), tiles do the same
        logging.getLogger("mer.affinity").warning("the Triton kernel does not run on %s: %s", device, error)
        return None
    return kernel if agrees else None


def _agrees(kernel: ModuleType, device: torch.device) -> bool:
    """Does it give the votes of the obvious way, on a small case? Asked once: cards and compilers differ."""
    features = normalize(torch.randn(3, 68, 11, 13, generator=torch.Generator().manual_seed(0)), dim=1)
    exact = reference_affinity(features[0], features[1:], radius=4, top_k=5, temperature=0.1)
    query, references = features[0].to(device), features[1:].to(device)
    weight = kernel.fused_affinity(query, references, radius=4, top_k=5, temperature=0.1).weight.cpu()
    return bool(torch.allclose(weight, exact.weight, rtol=0, atol=1e-3))
