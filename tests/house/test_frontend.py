"""The front end keeps its promises: vendored files as recorded, nothing fetched from outside, nothing inline."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from crm.navigation import NAVIGATION

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "crm" / "static"
VENDOR = STATIC / "vendor"
TEMPLATES = ROOT / "crm" / "templates"
PAGES = sorted(path for path in TEMPLATES.rglob("*.html") if "email" not in path.relative_to(TEMPLATES).parts)
OWN = sorted([*STATIC.glob("css/*.css"), *STATIC.glob("js/*.js"), *PAGES])

COMMENT = re.compile(r"\{#.*?#\}|/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
OUTSIDE = re.compile(r"""(?:src|href|action|url\(|import|fetch\()\s*=?\s*["'(]?\s*(?:https?:)?//[a-z]""", re.IGNORECASE)
INLINE_STYLE = re.compile(r"<style\b|\sstyle\s*=|style\.cssText", re.IGNORECASE)
INLINE_SCRIPT = re.compile(r"<script\b(?![^>]*\bsrc=)|javascript:", re.IGNORECASE)
HANDLER = re.compile(r"<[^>]*\s(?:on[a-z]{3,}|hx-on[:\w-]*)\s*=", re.IGNORECASE)


def _markup(path: Path) -> str:
    return COMMENT.sub("", path.read_text("utf-8"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_vendored_files_are_those_recorded_and_no_others() -> None:
    recorded = dict(reversed(line.split("  ", 1)) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    found = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert found == recorded


@pytest.mark.parametrize("folder", sorted(path.name for path in VENDOR.iterdir() if path.is_dir()))
def test_every_vendored_package_lies_beside_its_licence_and_version(folder: str) -> None:
    assert (VENDOR / folder / "LICENSE").stat().st_size > 100
    assert (VENDOR / folder / "VERSION").read_text().strip()


def test_htmx_is_the_last_of_its_second_line() -> None:
    assert 'version:"2.0.11"' in (VENDOR / "htmx" / "htmx.min.js").read_text()


@pytest.mark.parametrize("path", OWN, ids=_name)
def test_nothing_is_fetched_from_another_site(path: Path) -> None:
    assert not OUTSIDE.findall(_markup(path))


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_templates_hold_no_inline_script_style_or_handler(path: Path) -> None:
    text = _markup(path)
    for pattern in (INLINE_STYLE, INLINE_SCRIPT, HANDLER):
        hit = pattern.search(text)
        assert hit is None, f"{_name(path)}: {hit.group(0)!r} would be refused by the content security policy"


@pytest.mark.parametrize(
    "bad", ['<p style="x">', "<script>1</script>", '<a onclick="x">', '<b hx-on:click="x">', "<style>p{}</style>"]
)
def test_the_patterns_above_do_catch_what_they_are_for(bad: str) -> None:
    assert any(pattern.search(bad) for pattern in (INLINE_STYLE, INLINE_SCRIPT, HANDLER))


def test_the_outside_pattern_catches_addresses_and_spares_namespaces() -> None:
    assert OUTSIDE.search('<link href="https://cdn.example/x.css">') and OUTSIDE.search("url(//cdn.example/x.woff2)")
    assert not OUTSIDE.search('<svg xmlns="http://www.w3.org/2000/svg">')


def test_every_icon_a_template_names_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (VENDOR / "lucide" / "sprite.svg").read_text()))
    named = re.compile(r"""\b(?:icon\(|icon_button\(|empty_state\(|event\(|icon=)\s*["']([a-z0-9-]+)["']""")
    used = {(icon, _name(path)) for path in PAGES for icon in named.findall(_markup(path))}
    assert used
    used |= {(entry[2], "crm/navigation.py") for entry in NAVIGATION}
    missing = {(icon, page) for icon, page in used if icon not in drawn}
    assert not missing, f"add these to ICON_NAMES in tools/vendor_frontend.py and run it: {missing}"


def test_own_script_stays_small_and_evaluates_nothing() -> None:
    script = (STATIC / "js" / "app.js").read_text()
    assert len(script.splitlines()) <= 200
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", script)


def test_stylesheets_of_every_page_stay_within_sixty_kilobytes_and_those_of_one_subject_within_ten() -> None:
    head = (TEMPLATES / "shared" / "_head.html").read_text()
    sizes = {path.name: path.stat().st_size for path in STATIC.glob("css/*.css")}
    of_every_page = {name for name in sizes if f"css/{name}" in head}
    assert {"tokens.css", "base.css", "components.css"} <= of_every_page
    assert sum(sizes[name] for name in of_every_page) < 60_000
    assert all(size < 10_000 for name, size in sizes.items() if name not in of_every_page)


def test_every_colour_comes_from_the_tokens() -> None:
    """A hex colour outside tokens.css is one that dark mode forgets; the age scale is the same in both."""
    for path in STATIC.glob("css/*.css"):
        if path.name == "tokens.css":
            continue
        strays = [
            line for line in _markup(path).splitlines() if re.search(r"#[0-9a-f]{3,8}\b", line) and ".age-" not in line
        ]
        assert not strays, f"{path.name}: {strays}"


def test_static_files_have_addresses_that_change_with_them(client: FlaskClient) -> None:
    page = client.get("/sign-in").text
    address = re.search(r"/static/css/base\.css\?v=[0-9a-f]{10}", page)
    assert address
    assert "immutable" in client.get(address.group(0)).headers["Cache-Control"]
    assert "immutable" not in client.get("/static/css/base.css").headers.get("Cache-Control", "")
