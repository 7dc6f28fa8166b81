from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.colour import rgb_to_lab
from model.encoder import Encoder, EncoderConfig
from model.features import (
    EncoderFeatures,
    as_key,
    as_query,
    cell_colours,
    common_product,
    load_extractor,
    untrained_encoder,
    without_colour,
)
from model.recipes import get_recipe
from model.training.checkpoint import save_file
from model.training.trainer import save_weights

IMAGES = torch.randint(0, 256, (2, 3, 30, 41), dtype=torch.uint8)
SMALL = EncoderConfig((8, 8, 8, 8), 16)


def test_features_have_unit_length_on_a_quarter_grid() -> None:
    features = load_extractor("untrained", "cpu")(IMAGES)
    assert features.shape == (2, 64, 8, 11) and features.dtype == torch.float32
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2, 8, 11), atol=1e-4, rtol=0)


def test_the_untrained_control_is_the_same_every_time_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, two = untrained_encoder(), untrained_encoder()
    assert torch.equal(one.conv1.weight, two.conv1.weight)
    assert torch.equal(torch.rand(3), expected)


def test_bf16_stays_close_to_fp32() -> None:
    encoder = untrained_encoder()
    cpu = torch.device("cpu")
    exact = EncoderFeatures(encoder, cpu, False, "", "", "")(IMAGES)
    quick = EncoderFeatures(encoder, cpu, True, "", "", "")(IMAGES)
    assert (exact * quick).sum(dim=1).min() > 0.99


def test_a_weights_file_brings_its_architecture_name_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    encoder = Encoder(SMALL)
    save_weights(path, encoder, get_recipe("mast", encoder=SMALL))
    extractor = load_extractor(path, "cpu", "fp32")
    assert (extractor.name, extractor.recipe, len(extractor.sha256)) == ("mine.pt", "mast", 64)
    expected = EncoderFeatures(encoder, torch.device("cpu"), False, "", "", "")(IMAGES)
    torch.testing.assert_close(extractor(IMAGES), expected, atol=2e-2, rtol=0)  # stored in half precision


def test_raw_colours_match_like_colours_best() -> None:
    image = torch.zeros(1, 3, 8, 24, dtype=torch.uint8)
    image[:, 0, :, :8], image[:, 0, :, 8:16], image[:, 2, :, 16:] = 200, 180, 200  # red, a little less red, blue
    features = load_extractor("lab", "cpu")(image)[0]
    red, reddish, blue = features[:, 0, 0], features[:, 0, 3], features[:, 0, 5]
    assert red @ red > red @ reddish > red @ blue


def test_files_that_hold_no_encoder_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no weights")
    torch.save({"state_dict": {}}, tmp_path / "foreign.pt")
    save_file(tmp_path / "half.pt", {"recipe": get_recipe("mast").as_dict()})
    narrow = Encoder(SMALL).state_dict()
    save_file(tmp_path / "narrow.pt", {"recipe": get_recipe("mast").as_dict(), "state_dict": narrow})
    for name, message in {
        "missing.pt": "no such",
        "text.pt": "not a readable weights file",
        "foreign.pt": "another program",
        "half.pt": "no encoder weights",
        "narrow.pt": "no encoder weights",
    }.items():
        with pytest.raises(ValueError, match=message) as caught:
            load_extractor(tmp_path / name, "cpu")
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("this must not run",))

    torch.save({"program": "mer-studio", "format": 1, "x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match="not a readable weights file"):
        load_extractor(tmp_path / "evil.pt", "cpu")


@pytest.mark.parametrize(("arguments", "message"), [({"device": "abacus"}, "abacus"), ({"precision": "int3"}, "int3")])
def test_unknown_settings(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_extractor("untrained", **arguments)  # type: ignore[arg-type]


def test_the_product_of_query_and_key_falls_with_the_distance_of_their_colours() -> None:
    features, colours = torch.randn(16, 2, 5), torch.randn(3, 2, 5)
    key = as_key(features, colours)
    query = as_query(key, 7.0)
    for y, x, v, u in ((0, 0, 1, 4), (1, 2, 0, 3), (1, 1, 1, 1)):
        distance = (colours[:, y, x] - colours[:, v, u]).square().sum()
        constant = 3.5 * colours[:, y, x].square().sum()
        expected = features[:, y, x] @ features[:, v, u] - 3.5 * distance + constant
        assert float(query[:, y, x] @ key[:, v, u]) == pytest.approx(float(expected), rel=1e-4, abs=1e-4)
        assert float(common_product(key, 7.0)[y, x]) == pytest.approx(float(constant), rel=1e-4, abs=1e-4)
    assert torch.equal(without_colour(key), features)
    alone = as_query(key, 0.0)[:, 0, 0] @ key[:, 1, 1]
    assert float(alone) == pytest.approx(float(features[:, 0, 0] @ features[:, 1, 1]), abs=1e-5)


def test_cell_colours_are_the_mean_around_each_cells_centre() -> None:
    image = torch.randint(0, 256, (1, 3, 12, 16), dtype=torch.uint8)
    expected = rgb_to_lab(image)[0, :, 2:7, 6:11].mean(dim=(1, 2))
    torch.testing.assert_close(cell_colours(image)[0, :, 1, 2], expected)
    assert cell_colours(image[..., :11, :15]).shape == (1, 3, 3, 4)
