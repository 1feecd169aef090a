"""Read images: PNG and JPEG, grey or in colour, become squares of one size (D5, D6)."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaragua_models.data import png
from jaragua_models.data.area import area_sums
from jaragua_models.errors import DataError
from jaragua_models.own_data.description import Description
from jaragua_models.own_data.reading.extras import needs
from jaragua_models.own_data.reading.folders import check_any, check_none_empty, files, folders
from jaragua_models.own_data.samples import Table, numbered

SUFFIXES = (".png", ".jpg", ".jpeg")
EXTRA = "images"
#: D5: of red, green and blue in a grey value, per thousand.
LUMA = (299, 587, 114)

Pixels = NDArray[np.uint8]


def read(description: Description) -> Table:
    """`<path>/<class>/<file>.png`, or .jpg. Raises: DataError that names the file in the folder."""
    folder = description.origin
    found = [(kind, file) for kind in folders(folder) for file in files(kind, SUFFIXES)]
    check_none_empty(folders(folder), found, SUFFIXES)
    check_any(folder, found, "<class>/<file>.png")
    x = np.stack([_image(file, description) for _, file in found])
    labels, classes = numbered(folder, [kind.name for kind, _ in found], description.classes)
    return Table(folder, x, labels, classes, np.full(len(found), ""))


def _image(file: Path, description: Description) -> NDArray[np.float32]:
    """float32 [side · side · channels], 0..1, in the order of rows, columns and channels."""
    try:
        pixels, white = _pixels(file, file.read_bytes(), description.channels)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}.", "Check the file, or the link.") from error
    planes = []
    for channel in range(description.channels):
        sums, whole = area_sums(pixels[:, :, channel], description.side, description.side)
        planes.append(sums / (whole * white))
    bright = np.stack(planes, axis=-1).ravel()
    return (1 - bright if description.dark_on_light else bright).astype(np.float32)


def _pixels(file: Path, content: bytes, channels: int) -> tuple[Pixels, int]:
    """uint8 [height, width, channels], and the value of white."""
    try:
        grey, white = png.decode(content)
        return np.repeat(grey[:, :, None], channels, axis=2), white
    except png.OtherPng:
        pass
    except png.PngError as error:
        raise DataError(f"{file}: {error}.", "Save it again.") from error
    colours = _colours(file, content)
    return (colours if channels == len(LUMA) else _grey(colours)), 255


def _grey(colours: Pixels) -> Pixels:
    """D5: red, green and blue uint8 [h, w, 3] -> uint8 [h, w, 1]."""
    weighted = (colours.astype(np.int32) @ np.array(LUMA) + 500) // 1000
    grey: Pixels = weighted.astype(np.uint8)[:, :, None]
    return grey


def _colours(file: Path, content: bytes) -> Pixels:
    """With Pillow: red, green and blue, uint8 [height, width, 3], turned as the camera was held, on white."""
    image = needs("PIL.Image", EXTRA, file)
    try:
        with image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as opened:
            if max(opened.size) > png.LARGEST_SIDE:
                width, height = opened.size
                raise DataError(f"{file}: it measures {width} x {height}; {png.LARGEST_SIDE} a side fit.", "Shrink it.")
            clear = needs("PIL.ImageOps", EXTRA, file).exif_transpose(opened).convert("RGBA")
        white = image.new("RGBA", clear.size, (255, 255, 255, 255))
        colours: Pixels = np.asarray(image.alpha_composite(white, clear).convert("RGB"))
        return colours
    except (OSError, ValueError, SyntaxError, image.DecompressionBombError) as error:  # of damaged and huge files
        raise DataError(f"{file}: it is no PNG or JPEG, or damaged.", "Save it again.") from error
