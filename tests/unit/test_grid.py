from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from model.grid import by_cell, by_label, from_rows, pad_to_stride, padded_size, sample_cells, to_pixels, to_rows

lengths = st.integers(1, 41)


def ramp(height: int, width: int) -> torch.Tensor:
    """A plane over the pixels, [1, 1, H, W]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (3.0 + 0.5 * x - 2.0 * y)[None, None]


@given(lengths, lengths)
def test_a_ramp_comes_back_exactly_between_the_cell_centres(height: int, width: int) -> None:
    image = ramp(height, width)
    cells = sample_cells(image)
    back = to_pixels(cells, height, width)
    assert back.shape == image.shape
    last_y, last_x = 4 * (cells.shape[-2] - 1), 4 * (cells.shape[-1] - 1)
    torch.testing.assert_close(back[..., : last_y + 1, : last_x + 1], image[..., : last_y + 1, : last_x + 1])
    # Beyond the last centre its value goes on.
    torch.testing.assert_close(
        back[..., last_y:, : last_x + 1],
        image[..., last_y, None, : last_x + 1].expand_as(back[..., last_y:, : last_x + 1]),
    )


@given(lengths, lengths)
def test_cells_are_the_pixels_at_multiples_of_four(height: int, width: int) -> None:
    image = torch.rand(2, height, width)
    cells = sample_cells(image)
    assert cells.shape == (2, (height + 3) // 4, (width + 3) // 4)
    for i in range(cells.shape[1]):
        for j in range(cells.shape[2]):
            assert torch.equal(cells[:, i, j], image[:, 4 * i, 4 * j])


@given(lengths, lengths)
def test_padding_repeats_the_edge_up_to_the_stride(height: int, width: int) -> None:
    image = torch.rand(1, 2, height, width)
    padded = pad_to_stride(image)
    assert padded.shape[-2:] == padded_size(height, width)
    assert padded.shape[-2] % 4 == padded.shape[-1] % 4 == 0
    assert 0 <= padded.shape[-2] - height < 4 and 0 <= padded.shape[-1] - width < 4
    assert torch.equal(padded[..., :height, :width], image)
    assert torch.equal(padded[..., -1, -1], image[..., -1, -1])


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 3))
def test_cells_part_into_labels_and_come_together_again(h: int, w: int, channels: int) -> None:
    labels = torch.rand(channels, 2 * h, 2 * w)
    rows = to_rows(labels)
    assert rows.shape == (h * w, 4 * channels)
    means = by_cell(labels)
    assert means.shape == (channels, h, w)
    for y in range(h):
        for x in range(w):
            own = labels[:, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            assert torch.equal(rows[y * w + x].sort().values, own.flatten().sort().values)
            torch.testing.assert_close(means[:, y, x], own.mean((1, 2)))
    assert torch.equal(from_rows(rows, (h, w)), labels)
    torch.testing.assert_close(by_cell(by_label(means)), means)
