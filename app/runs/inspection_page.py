"""The pages of an inspection: one picture with its legend, and one that shows where the votes of a pixel lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.page import BACKGROUND, BRIGHT, QUIET, TEXT, Page
from model.pictures import RAMP, flow_wheel
from model.types import UInt8Array

MARGIN, GAP, HEAD, CAPTION = 24, 12, 64, 28
FOOT, WHEEL = 56, 88
TILE = 300  # width of a picture on the page of votes, and side of an enlarged window


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One column of the page of votes.

    whole: the frame's picture; windows: enlarged parts of it, square, from top to bottom; note: a few words.
    """

    title: str
    note: str
    whole: UInt8Array
    windows: tuple[UInt8Array, ...]


def plate(picture: UInt8Array, title: str, subtitle: str, foot: int = FOOT) -> Page:
    """A picture [H, W, 3] at its own size under a title, with room for a legend below."""
    height, width = picture.shape[:2]
    page = Page(max(width, 480) + 2 * MARGIN, HEAD + height + foot)
    _head(page, title, subtitle)
    page.picture(MARGIN, HEAD, (width, height), picture)
    return page


def motion_plate(picture: UInt8Array, title: str, subtitle: str) -> Page:
    """The same with the colour wheel of motion."""
    page = plate(picture, title, subtitle, WHEEL + 2 * GAP)
    top = page.image.height - GAP - WHEEL
    page.picture(MARGIN, top, (WHEEL, WHEEL), flow_wheel(WHEEL, BACKGROUND))
    left = MARGIN + WHEEL + 20
    page.text(left, top + 38, "Hue: where things go. White: what stands still.", 15, TEXT)
    page.text(left, top + 60, "What the camera did is taken off; the fastest have full colour.", 15, QUIET)
    return page


def ramp_plate(picture: UInt8Array, title: str, subtitle: str, low: str, high: str) -> Page:
    """The same with the ramp, and what its ends mean."""
    page = plate(picture, title, subtitle)
    ramp_legend(page, low, high)
    return page


def ramp_legend(page: Page, low: str, high: str) -> None:
    y = page.image.height - 24
    x = MARGIN + round(page.text(MARGIN, y, low, 15, TEXT)) + GAP
    page.ramp(x, y, 160, RAMP)
    page.text(x + 160 + GAP, y, high, 15, TEXT)


def words(page: Page, text: str) -> None:
    """A legend of words."""
    page.text(MARGIN, page.image.height - 24, text, 15, TEXT)


def votes_page(tiles: Sequence[Tile], title: str, subtitle: str, low: str, high: str) -> Page:
    """A column per tile, and the ramp of the similarities."""
    height = round(TILE * tiles[0].whole.shape[0] / tiles[0].whole.shape[1])
    rows = max(len(tile.windows) for tile in tiles)
    top = HEAD + CAPTION
    bottom = top + height + rows * (GAP + TILE)
    page = Page(2 * MARGIN + len(tiles) * (TILE + GAP) - GAP, bottom + FOOT)
    _head(page, title, subtitle)
    for column, tile in enumerate(tiles):
        x = MARGIN + column * (TILE + GAP)
        page.text(x, top - 10, tile.title, 17, BRIGHT)
        page.text(x + TILE, top - 10, tile.note, 15, TEXT, "rs")
        page.picture(x, top, (TILE, height), tile.whole)
        for row, window in enumerate(tile.windows):
            page.picture(x, top + height + GAP + row * (GAP + TILE), (TILE, TILE), window)
    ramp_legend(page, low, high)
    return page


def _head(page: Page, title: str, subtitle: str) -> None:
    length = page.text(MARGIN, 42, title, 22, BRIGHT)
    page.text(MARGIN + length + 14, 42, subtitle, 15, QUIET)
