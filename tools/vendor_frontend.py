"""Brings the front-end files Tradebook ships with into `crm/static/vendor/`, at pinned versions.

Run by a developer, only to change a version or to add an icon: `python tools/vendor_frontend.py`. It needs `npm`
on the path (it runs `npm pack`) and the network; the product, its tests and its set-up need neither.
It writes each package's files beside its licence, draws the icon sprite from the names below, and records every
file's SHA-256 in `vendor/SHA256SUMS`, which a test compares with what lies there. It edits no vendored file.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "crm" / "static" / "vendor"

# package -> (version, folder, {path in the package: name here})
PACKAGES: dict[str, tuple[str, str, dict[str, str]]] = {
    # htmx 4 no longer sends HX-Trigger and its kin: stay on the last 2.
    "htmx.org": ("2.0.11", "htmx", {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "LICENSE"}),
    "idiomorph": ("0.8.0", "idiomorph", {"dist/idiomorph-ext.min.js": "idiomorph-ext.min.js", "LICENSE": "LICENSE"}),
    "@fontsource-variable/inter": (
        "5.3.0",
        "inter",
        {"files/inter-latin-wght-normal.woff2": "inter-latin-wght-normal.woff2", "LICENSE": "LICENSE"},
    ),
    "lucide-static": ("1.62.0", "lucide", {"LICENSE": "LICENSE"}),
}

# One name per icon the templates use or may want soon; a test finds a template that uses one not drawn.
ICON_NAMES = """
activity archive archive-restore arrow-down arrow-down-up arrow-left arrow-right arrow-up arrow-up-right at-sign
badge-check banknote bell book-open briefcase-business building-2 cable calendar chart-column check chevron-down
chevron-left chevron-right chevron-up chevrons-up-down circle circle-alert circle-check circle-help circle-pause
circle-user circle-x clock columns-3 command copy corner-down-left credit-card database download ellipsis equal
external-link eye file-down file-plus file-text file-up filter flag folder-tree git-compare git-merge globe
hand-coins hash history hourglass house import inbox info key-round keyboard layout-dashboard leaf lightbulb link
link-2-off list-checks list-filter loader-circle lock log-in log-out mail map-pin menu message-square monitor moon
notebook-pen octagon-alert package paperclip pause pencil phone pin play plug-zap plus printer receipt-text
refresh-cw repeat rotate-ccw save scale scroll-text search send settings shield-check sliders-horizontal smartphone
sparkles split square-check star sticky-note sun tag trash-2 trending-up triangle-alert undo-2 unlink unplug upload
user user-check user-cog user-plus user-x users wallet webhook wifi-off wrench x zap
"""

INNER = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


def unpack(package: str, version: str, into: Path) -> Path:
    """Fetch one package with npm and return the folder it was unpacked to."""
    subprocess.run(
        ["npm", "pack", f"{package}@{version}", "--silent", "--pack-destination", str(into)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    archive = next(into.glob("*.tgz"))
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return into / "package"


def sprite(icons_folder: Path) -> str:
    """One SVG with a `<symbol>` per name in ICON_NAMES; colours and strokes come from the page's stylesheet."""
    symbols = []
    for name in sorted(set(ICON_NAMES.split())):
        source = icons_folder / f"{name}.svg"
        if not source.exists():
            raise SystemExit(f"Lucide has no icon called {name!r}: correct ICON_NAMES in {Path(__file__).name}.")
        inner = INNER.search(source.read_text("utf-8")).group(1)  # type: ignore[union-attr]
        inner = re.sub(r"\s+", " ", inner).replace(" />", "/>").replace("> <", "><").strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def write_sums() -> None:
    files = sorted(path for path in VENDOR.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(VENDOR).as_posix()}" for path in files
    ]
    (VENDOR / "SHA256SUMS").write_text("\n".join(lines) + "\n", "utf-8")


def main() -> None:
    if shutil.which("npm") is None:
        sys.exit("npm was not found. It is needed only to renew the vendored files; the product runs without it.")
    for package, (version, folder, members) in PACKAGES.items():
        target = VENDOR / folder
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            source = unpack(package, version, Path(scratch))
            for inside, name in members.items():
                shutil.copyfile(source / inside, target / name)
            if package == "lucide-static":
                (target / "sprite.svg").write_text(sprite(source / "icons"), "utf-8")
        (target / "VERSION").write_text(f"{package} {version}\n", "utf-8")
    write_sums()


if __name__ == "__main__":
    main()
