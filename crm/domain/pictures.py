"""Telling whether bytes are a picture that can stand on documents: PNG or JPEG, of a size that prints. Pure.

The name of an uploaded file and the type its browser claims prove nothing; what the bytes begin and end with does. SVG
is refused on purpose: it can hold scripts.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_BYTES = 1024 * 1024
LEAST_PIXELS, MOST_PIXELS = 16, 4000
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG that begin a frame, and so tell its size."""


@dataclass(frozen=True, slots=True)
class Picture:
    extension: str
    """`png` or `jpg`."""
    width: int
    height: int


def read_picture(data: bytes) -> Picture | str:
    """The picture, or a sentence that says what is wrong with it."""
    if len(data) > MOST_BYTES:
        return f"The file has {len(data) / MOST_BYTES:.1f} MB; make it smaller than 1 MB."
    if data.startswith(_PNG) and data.rstrip(b"\x00").endswith(_PNG_END):
        found = ("png", int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    elif data.startswith(_JPEG) and data.rstrip(b"\x00").endswith(_JPEG_END):
        found = ("jpg", *_jpeg_size(data))
    else:
        return "This is neither a PNG nor a JPEG, or only a part of one. Save the logo as PNG and choose it again."
    if not all(LEAST_PIXELS <= pixels <= MOST_PIXELS for pixels in found[1:]):
        size = f"{found[1]} by {found[2]}"
        return f"The picture is {size} pixels; between {LEAST_PIXELS} and {MOST_PIXELS} each way print well."
    return Picture(*found)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height; nothing where no frame tells them."""
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in _FRAMES:
            return int.from_bytes(data[place + 7 : place + 9], "big"), int.from_bytes(
                data[place + 5 : place + 7], "big"
            )
        place += 2 + length
    return 0, 0
