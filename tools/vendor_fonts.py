"""Brings the fonts that PDFs are set in into `crm/pdf/fonts/`, at a pinned version.

Run by a developer, only to change the version: `python tools/vendor_fonts.py`. It needs `npm` on the path, the
network, and the packages fonttools and brotli; the product, its tests and its set-up need none of them. The web page's
Inter will not do: it holds Latin alone, in a format that is for browsers. These hold Latin, Greek, Cyrillic and
Vietnamese.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

FONTS = Path(__file__).resolve().parent.parent / "crm" / "pdf" / "fonts"
PACKAGE, VERSION = "inter-ui", "4.1.1"
FACES = ("Inter-Regular", "Inter-SemiBold")


def main() -> None:
    from fontTools.ttLib import TTFont

    FONTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder)
        subprocess.run(["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder], check=True)
        with tarfile.open(next(into.glob("*.tgz"))) as tar:
            tar.extractall(into, filter="data")
        for face in FACES:
            font = TTFont(into / "package" / "web" / f"{face}.woff2", recalcTimestamp=False)
            font.flavor = None
            font.save(FONTS / f"{face}.ttf")
        (FONTS / "LICENSE").write_bytes((into / "package" / "LICENSE.txt").read_bytes())
    (FONTS / "VERSION").write_text(f"{PACKAGE} {VERSION}\n")
    files = sorted(path for path in FONTS.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (FONTS / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
