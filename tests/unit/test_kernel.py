"""The Triton kernel is held to the slow, obvious affinity: interpreted, so that no GPU is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.affinity import Affinity, WindowPair, reference_affinity
from model.affinity.dispatch import _agrees, kernel_on
from model.affinity.window import TILE

pytest.importorskip("triton", reason="needs Triton, which comes with PyTorch's CUDA builds for Linux")

ROOT = Path(__file__).parents[2]
INTERPRETED = """
import sys
import torch
from model.affinity import WindowPair
from model.affinity.kernel import fused_affinity
torch.serialization.add_safe_globals([WindowPair])
cases = torch.load(sys.argv[1])
votes = {name: fused_affinity(*features, **options) for name, (features, options) in cases.items()}
torch.save({name: (a.weight, a.index) for name, a in votes.items()}, sys.argv[2])
"""


def features(count: int, channels: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    every = normalize(torch.randn(count + 1, channels, height, width, generator=torch.manual_seed(0)), dim=1).to(dtype)
    return [every[0], every[1:]]


def pair(height: int, width: int) -> WindowPair:
    plus = torch.randint(0, 10, (height, width), generator=torch.manual_seed(1))
    return WindowPair(torch.tensor(4), plus, 0.5, "logits")


def moves(height: int, width: int) -> Tensor:
    """For two references: how far each tile's windows are moved, some out of the picture."""
    return torch.randint(-14, 15, (2, -(-height // TILE), -(-width // TILE), 2), generator=torch.manual_seed(2))


def case(pictures: list[Tensor], **options: object) -> tuple[list[Tensor], dict[str, object]]:
    return pictures, {"top_k": 5, "temperature": 0.2, "dtype": torch.float32} | options


CASES = {
    "circle": case(features(2, 20, 9, 11), radius=3),
    "square, a radius for each reference": case(features(3, 68, 10, 7), radius=[2, 6, 0], window="square"),
    "windows wider than the grid": case(features(1, 8, 5, 4), radius=24, top_k=32),
    "fewer cells than votes": case(features(2, 16, 2, 3), radius=1, top_k=20),
    "a head start for one reference": case(features(3, 68, 5, 9), radius=4, bias=[0.3, 0, -0.1]),
    "two windows and a head start": case(features(2, 12, 9, 10), radius=pair(9, 10), bias=[0.2, 0]),
    "windows moved": case(features(3, 20, 9, 11), radius=3, shift=[None, *moves(9, 11)]),
    "windows moved, and a radius for each reference": case(
        features(3, 68, 10, 17), radius=[4, 2, 6], shift=[None, *moves(10, 17)], window="square"
    ),
    "a single cell": case(features(1, 8, 1, 1), radius=2),
    "a radius for each cell": case(features(2, 12, 5, 9), radius=pair(5, 9).plus),
    "two windows": case(features(2, 12, 9, 10), radius=pair(9, 10)),
    "two windows and a zero": case(features(2, 12, 5, 9), radius=pair(5, 9), zero=torch.linspace(-1, 1, 45).view(5, 9)),
    "stored in bfloat16": case(features(2, 36, 5, 9, torch.bfloat16), radius=4),
    "searched in half precision": case(features(2, 68, 5, 9), radius=4, dtype=torch.float16),
    "very large logits": case([1e4 * f for f in features(2, 16, 5, 9)], radius=4, temperature=1e-3),
}


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Tensor, Tensor]]:
    """Weights and indices of every case, worked out where Triton was told from the start to interpret."""
    folder = tmp_path_factory.mktemp("kernel")
    torch.save(CASES, folder / "cases")
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", INTERPRETED, str(folder / "cases"), str(folder / "votes")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    votes: dict[str, tuple[Tensor, Tensor]] = torch.load(folder / "votes")
    return votes


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_equals_the_obvious_way(name: str, interpreted: dict[str, tuple[Tensor, Tensor]]) -> None:
    (query, references), options = CASES[name]
    slow = reference_affinity(query, references, **{n: o for n, o in options.items() if n != "dtype"})
    fast = Affinity(*interpreted[name], slow.grid, slow.references)
    values = torch.rand(len(references), 3, *slow.grid, generator=torch.manual_seed(2))
    assert torch.allclose(fast.apply(values), slow.apply(values), rtol=0, atol=1e-5)
    assert torch.allclose(fast.weight, slow.weight, rtol=0, atol=1e-5)
    assert ((fast.index >= 0) & (fast.index < len(references) * values[0, 0].numel())).all()
    assert fast.weight.dtype == torch.float32 and fast.index.dtype == torch.int64
    voters = (index[weight > 0].tolist() for index, weight in zip(fast.index, fast.weight, strict=True))
    assert all(len(set(row)) == len(row) for row in voters)  # nobody votes twice


def test_it_is_used_only_where_it_agrees_with_the_obvious_way() -> None:
    cpu = torch.device("cpu")
    assert kernel_on(cpu) is None
    right = SimpleNamespace(fused_affinity=reference_affinity)
    wrong = SimpleNamespace(
        fused_affinity=lambda query, keys, **options: reference_affinity(query, keys / 2, **options)
    )
    assert _agrees(right, cpu) and not _agrees(wrong, cpu)


@pytest.mark.parametrize(("rings", "moved"), [(False, False), (False, True), (True, False)])
def test_the_kernel_compiles_without_a_gpu(
    rings: bool, moved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the H100's generation, with the channels and votes that propagation has."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from model.affinity.kernel import BLOCK, OPTIONS, _windowed_top_k

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kinds = dict.fromkeys(_windowed_top_k.arg_names, "i32")
    kinds |= dict.fromkeys(("query", "keys"), "*bf16") | dict.fromkeys(("limits", "near", "far", "moves"), "*i32")
    kinds |= dict.fromkeys(("exact_query", "exact_keys", "bias", "share", "zero", "shared", "weight"), "*fp32")
    kinds |= {"index": "*i64", "sharpness": "fp32"}
    constants = {"CIRCLE": True, "MOVED": moved, "RINGS": rings, "KEPT": 12, "FOUND": 16, "SLOTS": 16}
    constants |= {"MAIN": 64, "TAIL": 16, "TILE": TILE, "BLOCK": BLOCK}
    kinds |= dict.fromkeys(constants, "constexpr")
    places = {(_windowed_top_k.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(_windowed_top_k, kinds, places)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=OPTIONS)
    assert compiled.asm["cubin"]
    assert compiled.metadata.shared < 48 * 1024
