from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchvision.models.optical_flow import raft_small

from model import flow as flow_module
from model.flow import FlowOptions, Motion, dis, encode_flow, flow_picture, load_backend, normalise_flow, still
from model.types import FloatArray, UInt8Array
from tests.videos import texture


def moving_patch(steps: int, velocity: tuple[int, int] = (3, -2)) -> list[UInt8Array]:
    """A textured patch of 24×24 pixels that moves by (x, y) pixels per frame before a still ground, 64×96."""
    ground, patch = texture(0, 64, 96, 0, 120), texture(1, 24, 24, 100, 255)
    images = []
    for t in range(steps):
        image, x, y = ground.copy(), 30 + velocity[0] * t, 24 + velocity[1] * t
        image[y : y + 24, x : x + 24] = patch
        images.append(image)
    return images


def inside_patch(flow: FloatArray, t: int, velocity: tuple[int, int] = (3, -2)) -> FloatArray:
    """The median flow (x, y) in the middle of the patch at frame t."""
    x, y = 30 + velocity[0] * t, 24 + velocity[1] * t
    return np.median(flow[:, y + 6 : y + 18, x + 6 : x + 18], axis=(1, 2))


def test_flow_leads_back_to_where_things_were() -> None:
    before, now = moving_patch(2)
    flow = dis(before, now)
    assert flow.shape == (2, 64, 96) and flow.dtype == np.float32
    np.testing.assert_allclose(inside_patch(flow, 1), (-3, 2), atol=0.3)
    y, x = np.mgrid[:64, :96].astype(np.float32)
    back = cv2.remap(before, x + flow[0], y + flow[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    error = np.abs(back.astype(float) - now).mean(axis=2)
    assert error[24:44, 34:54].mean() < 6 < np.abs(before.astype(float) - now).mean(axis=2)[24:44, 34:54].mean()


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (9, 9), (40, 11)])
def test_pictures_of_any_size_have_a_flow(size: tuple[int, int]) -> None:
    image = texture(0, *size)
    flow = dis(image, image)
    assert flow.shape == (2, *size) and np.abs(flow).max() < 0.1
    assert Motion(FlowOptions())(image, image).shape == (2, *size)


def test_what_the_camera_did_is_taken_off_and_the_rest_is_scaled_to_one() -> None:
    flow = np.zeros((2, 20, 30), np.float32) + np.float32([[[5.0]], [[-2.0]]])
    flow[:, :5, :5] += np.float32([[[3.0]], [[-4.0]]])
    motion = normalise_flow(flow)
    np.testing.assert_allclose(motion[:, :5, :5].mean(axis=(1, 2)), (0.6, -0.8), atol=1e-6)
    assert not motion[:, 10:].any()
    np.testing.assert_allclose(normalise_flow(7 * flow), motion, atol=1e-6)


def test_one_wild_vector_does_not_dwarf_the_rest_and_noise_is_not_blown_up() -> None:
    rng = np.random.default_rng(0)
    flow = rng.uniform(-4, 4, (2, 30, 30)).astype(np.float32)
    flow[:, 3, 4] = 900
    motion = normalise_flow(flow)
    lengths = np.hypot(*motion)
    assert lengths.max() == pytest.approx(1) and np.median(lengths) > 0.3
    faint = normalise_flow(np.float32(0.01) * flow.clip(-4, 4))
    assert np.hypot(*faint).max() < 0.15


def frames_read(frame: int, count: int, gap: int) -> tuple[list[int], FloatArray]:
    """Which frames the motion of `frame` looks at, and what it is in the patch."""
    images, seen = moving_patch(count), []

    def read(index: int) -> UInt8Array:
        seen.append(index)
        return images[index]

    return seen, Motion(FlowOptions(gap=gap)).of(read, frame, count)


@pytest.mark.parametrize(("frame", "gap", "other"), [(4, 1, 3), (4, 2, 2), (5, 5, 0), (0, 1, 1), (1, 2, 3), (3, 5, 8)])
def test_motion_looks_back_and_where_there_is_nothing_ahead(frame: int, gap: int, other: int) -> None:
    seen, motion = frames_read(frame, 9, gap)
    assert sorted(set(seen)) == sorted({frame, other})
    here = inside_patch(motion, frame)
    assert here[0] < -0.3 and here[1] > 0.2  # the patch goes right and up, so it came from the left and below


@pytest.mark.parametrize(("frame", "count", "gap"), [(0, 1, 1), (0, 2, 2), (3, 5, 5), (2, 4, 5)])
def test_a_video_that_is_too_short_stands_still(frame: int, count: int, gap: int) -> None:
    assert not frames_read(frame, count, gap)[1].any()


def test_large_pictures_are_looked_at_small_and_the_motion_fits_the_large_ones() -> None:
    large = [cv2.resize(image, None, fx=8, fy=8) for image in moving_patch(2)]
    seen: list[tuple[int, ...]] = []
    motion = Motion(FlowOptions())
    real = motion._backend

    def spy(previous: UInt8Array, current: UInt8Array) -> FloatArray:
        seen.append(current.shape)
        return real(previous, current)

    motion._backend = spy
    flow = motion(*large)
    assert seen == [(256, 384, 3)] and flow.shape == (2, 512, 768)
    inner = flow[:, 8 * 28 : 8 * 40, 8 * 40 : 8 * 50].mean(axis=(1, 2))
    assert inner[0] < -0.5 and inner[1] > 0.3


def test_without_a_backend_nothing_moves() -> None:
    images = moving_patch(3)
    assert not Motion(FlowOptions("none"))(images[0], images[1]).any()
    assert not Motion(FlowOptions("none")).of(images.__getitem__, 2, 3).any()


def test_the_backend_travels_to_other_processes() -> None:
    before, now = moving_patch(2)
    motion = Motion(FlowOptions())
    assert np.array_equal(pickle.loads(pickle.dumps(motion))(before, now), motion(before, now))


def test_encodings() -> None:
    flow = 0.5 * torch.randn(3, 2, 4, 5).clamp(-1, 1)
    assert torch.equal(encode_flow(flow, "vector"), flow)
    length = encode_flow(flow, "magnitude")
    torch.testing.assert_close(length, (flow[:, :1] ** 2 + flow[:, 1:] ** 2).sqrt())
    assert encode_flow(flow, "wheel").shape == (3, 3, 4, 5)
    for encoding in ("vector", "wheel", "magnitude"):
        assert not encode_flow(torch.zeros(2, 4, 5), encoding).any()
        assert not torch.equal(encode_flow(flow, encoding), encode_flow(2 * flow, encoding))
    for encoding, tells in (("vector", True), ("wheel", True), ("magnitude", False)):
        assert torch.allclose(encode_flow(flow, encoding), encode_flow(-flow, encoding)) != tells


@pytest.mark.parametrize(
    ("goes_to", "rgb"),
    [((0, 0), (1, 1, 1)), ((1, 0), (1, 0, 0)), ((-1, 0), (0, 1, 1)), ((0.5, 0), (1, 0.5, 0.5)), ((0, 1), (0.5, 1, 0)),
     ((0, -1), (0.5, 0, 1)), ((9, 0), (1, 0, 0))],
)  # fmt: skip
def test_the_colour_wheel_shows_where_things_go(goes_to: tuple[float, float], rgb: tuple[float, ...]) -> None:
    flow = -torch.tensor(goes_to, dtype=torch.float32)[:, None, None]
    torch.testing.assert_close(flow_picture(flow)[:, 0, 0], torch.tensor(rgb, dtype=torch.float32), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"backend": "magic"}, "magic"), ({"encoding": "hex"}, "hex"), ({"gap": 3}, "not 3"), ({"gap": 0}, "not 0")],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FlowOptions(**options)  # type: ignore[arg-type]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., object]:
    """An empty cache of torch, and a download that must not happen."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *a, **k: pytest.fail("downloads"))
    return lambda: None


@pytest.mark.usefixtures("no_network")
def test_raft_wants_weights_and_downloads_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"RAFT has no weights here: .*fetch_raft.*dis") as caught:
        Motion(FlowOptions("raft"))
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"none\.pth: cannot be read"):
        load_backend("raft", tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    for name in ("text.pth", "other.pth"):
        with pytest.raises(ValueError, match=f"{name}: not the weights of torchvision's raft_small") as caught:
            load_backend("raft", tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_network")
def test_raft_runs_with_a_file_or_with_what_was_fetched(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = raft_small()
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    before, now = moving_patch(2)
    by_file = load_backend("raft", tmp_path / "mine.pth")(before, now)
    assert by_file.shape == (2, 64, 96) and by_file.dtype == np.float32 and np.isfinite(by_file).all()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "mine.pth").rename(tmp_path / "checkpoints" / "raft_small_C_T_V2-01064c6d.pth")
    np.testing.assert_array_equal(load_backend("raft")(before, now), by_file)
    assert flow_module._fetched_raft().exists()


def test_rafts_vectors_are_in_pixels_of_the_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It works on 128×192 here; a network that sees everything move by (4, 2) there means (2, 1) in 64×96."""
    torch.save(raft_small().state_dict(), tmp_path / "mine.pth")
    raft = load_backend("raft", tmp_path / "mine.pth")
    sizes = []

    class Shift(torch.nn.Module):
        def forward(self, current: torch.Tensor, previous: torch.Tensor) -> list[torch.Tensor]:
            sizes.append(tuple(current.shape))
            assert current.abs().max() <= 1
            return [torch.tensor([4.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, *current.shape[-2:])]

    monkeypatch.setattr(raft, "_network", Shift())
    image = texture(0, 64, 96)
    np.testing.assert_allclose(raft(image, image).mean(axis=(1, 2)), (2, 1), atol=1e-5)
    assert sizes == [(1, 3, 128, 192)]


def test_still_has_the_size_of_the_picture() -> None:
    assert still(texture(0, 8, 9), texture(0, 8, 9)).shape == (2, 8, 9)
