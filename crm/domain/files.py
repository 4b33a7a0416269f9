"""What an uploaded file is, by what stands in it; and what it may be called. Pure.

The name and type its browser claims prove nothing. Kinds that carry programs are refused on purpose: HTML and SVG are
plain text here or nothing, office files with macros nothing.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from dataclasses import dataclass

MOST_BYTES = 10 * 1024 * 1024
LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Kind:
    content_type: str
    extensions: tuple[str, ...]
    """The first is given to a name that has none of them."""


PDF = Kind("application/pdf", ("pdf",))
PNG = Kind("image/png", ("png",))
JPEG = Kind("image/jpeg", ("jpg", "jpeg"))
WEBP = Kind("image/webp", ("webp",))
TEXT = Kind("text/plain", ("txt", "csv", "md", "log"))
_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_OFFICE = {
    "word/": Kind(f"{_OPEN_XML}.wordprocessingml.document", ("docx",)),
    "xl/": Kind(f"{_OPEN_XML}.spreadsheetml.sheet", ("xlsx",)),
    "ppt/": Kind(f"{_OPEN_XML}.presentationml.presentation", ("pptx",)),
}
_OPEN_DOCUMENT = {
    f"application/vnd.oasis.opendocument.{name}": Kind(f"application/vnd.oasis.opendocument.{name}", (extension,))
    for name, extension in (("text", "odt"), ("spreadsheet", "ods"), ("presentation", "odp"))
}
ACCEPTED = ".pdf,.png,.jpg,.jpeg,.webp,.txt,.csv,.md,.docx,.xlsx,.pptx,.odt,.ods,.odp"
"""For the field of a form."""
WHICH = "PDF, PNG, JPEG, WebP, text, or an office file without macros (docx, xlsx, pptx, odt, ods, odp)"
_MACROS = re.compile(r"(^|/)(vbaProject\.bin|Basic/|Scripts/)", re.IGNORECASE)
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def kind_of(data: bytes) -> Kind | str:
    """What these bytes are, or a sentence that says why they are not taken."""
    if not data:
        return "The file is empty. Choose it again."
    if len(data) > MOST_BYTES:
        return f"The file has {len(data) / 1024 / 1024:.1f} MB; 10 MB is the most. Make it smaller, or split it."
    return _pictured(data) or _zipped(data) or _text(data) or f"This kind of file is not taken. Use {WHICH}."


def clean_name(name: str, kind: Kind) -> str:
    """A name that is safe in any folder and any header, with an extension that tells the truth."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    base = "".join(
        " " if unicodedata.category(char)[0] in "CZ" else char for char in unicodedata.normalize("NFC", base)
    )
    base = re.sub(r'[<>:"|?*]', "-", " ".join(base.split())).strip(". ")
    stem, dot, extension = base.rpartition(".")
    true = bool(dot) and extension.lower() in kind.extensions
    stem, extension = (stem, extension.lower()) if true else (base, kind.extensions[0])
    stem = stem.strip(". ")[:LONGEST_NAME].strip(". ") or "file"
    return f"{'_' if _RESERVED.match(stem) else ''}{stem}.{extension}"


def _pictured(data: bytes) -> Kind | None:
    if data.startswith(b"%PDF-"):
        return PDF
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    return WEBP if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _zipped(data: bytes) -> Kind | str | None:
    """Office files are archives; only their list of contents is read, and the short name of their kind."""
    if not data.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            mimetype = archive.open("mimetype").read(100).decode("ascii", "replace") if "mimetype" in names else ""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return "The file is damaged or locked with a password. Save it once more without one, then choose it again."
    kind = _OPEN_DOCUMENT.get(mimetype.strip())
    if "[Content_Types].xml" in names:
        kind = next((one for start, one in _OFFICE.items() if any(name.startswith(start) for name in names)), None)
    if kind is not None and any(_MACROS.search(name) for name in names):
        return "The file holds macros, which could do harm. Save it without them, or as PDF."
    return kind


def _text(data: bytes) -> Kind | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text) else TEXT
