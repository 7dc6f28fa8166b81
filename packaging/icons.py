"""Renders the icon: PNGs of the usual sizes, and with them what Windows (.ico) and macOS (.icns) want.

python packaging/icons.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

SOURCE = Path(__file__).parents[1] / "resources/icons/mer-studio.svg"
SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
ICO = [(size, size) for size in SIZES if size <= 256]


def render(folder: Path) -> None:
    """SIZE.png for every size, mer-studio.ico and mer-studio.icns."""
    folder.mkdir(parents=True, exist_ok=True)
    renderer = QSvgRenderer(str(SOURCE))
    assert renderer.isValid(), SOURCE
    for size in (*SIZES, 1024):
        image = QImage(size, size, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        renderer.render(painter)
        painter.end()
        assert image.save(str(folder / f"{size}.png"))
    pictures = [Image.open(folder / f"{size}.png") for size in (*SIZES, 1024)]
    *small, large = pictures
    large.save(folder / "mer-studio.ico", sizes=ICO, append_images=small)
    large.save(folder / "mer-studio.icns", append_images=small)


if __name__ == "__main__":
    render(Path(sys.argv[1]))
