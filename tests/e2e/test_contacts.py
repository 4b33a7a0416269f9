"""Work on contacts in a real browser: finding, editing, files, views, keys, and all of it without scripting too."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.conftest import PASSWORD, PEOPLE, sign_in

Visit = Callable[..., Any]


def _made(tab: Any, name: str, **fields: str) -> str:
    """A new contact through the form; the address of its page. `fields` by their labels, "_" for a blank."""
    tab.goto("/contacts/new")
    tab.get_by_label("Name", exact=True).fill(name)
    for label, value in fields.items():
        tab.get_by_label(label.replace("_", " "), exact=True).fill(value)
    tab.get_by_role("button", name=re.compile("^Create")).click()
    tab.wait_for_url(re.compile(r"/contacts/\d+$"))
    return str(tab.url)


def test_signing_in_leads_to_the_page_asked_for_and_signing_out_closes_everything(visit: Visit) -> None:
    tab = visit("")
    tab.goto("/contacts?type=lead")
    assert "/sign-in" in tab.url
    tab.get_by_label("E-mail").fill(PEOPLE["rep"][0])
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/contacts?type=lead")
    tab.locator(".side-foot summary").click()
    tab.get_by_role("button", name="Sign out").click()
    tab.goto("/contacts")
    assert "/sign-in" in tab.url


def test_a_wrong_password_is_refused_without_saying_what_was_wrong(visit: Visit) -> None:
    tab = visit("", allowed=(401, 422))
    sign_in(tab, "rep", password="not the password")
    assert "/sign-in" in tab.url
    assert tab.get_by_label("E-mail").input_value() == PEOPLE["rep"][0]
    assert tab.locator(".tone-bad").is_visible()


def test_any_notation_of_a_phone_finds_its_contact_while_typing(visit: Visit) -> None:
    tab = visit("rep")
    _made(tab, "Ottilie Quillfeather", Phone_1="913 555-7290")
    tab.goto("/contacts")
    search, row = tab.locator("#search"), tab.locator("#list tbody tr:only-child .person-name")
    for notation in ("(913) 555-7290", "913.555.7290", "+1 913 555 7290", "555-7290"):
        search.fill("")
        row.wait_for(state="detached")
        search.press_sequentially(notation)
        row.wait_for()
        assert row.inner_text() == "Ottilie Quillfeather"
        assert "q=" in tab.url, "the search can be kept as a bookmark"


def test_a_new_contact_asks_when_somebody_has_the_same_line(visit: Visit) -> None:
    tab = visit("rep", allowed=(422,))
    first = _made(tab, "Leopold Ashgrove", Phone_1="913 555 7291")
    tab.goto("/contacts/new")
    tab.get_by_role("button", name="Create contact").click()
    tab.locator("[role=alert]").first.wait_for()
    tab.get_by_label("Name", exact=True).fill("Wilhelmina Ashgrove")
    tab.get_by_label("Phone 1", exact=True).fill("(913) 555-7291")
    tab.get_by_role("button", name="Create contact").click()
    tab.wait_for_selector("text=Somebody with this phone or e-mail is here already")
    assert tab.get_by_label("Name", exact=True).input_value() == "Wilhelmina Ashgrove"
    tab.get_by_role("button", name="Create anyway").click()
    tab.wait_for_url(re.compile(r"/contacts/\d+$"))
    assert tab.url != first and "Wilhelmina Ashgrove" in tab.inner_text("h1")


def test_a_field_is_edited_in_place_and_the_timeline_says_by_whom(visit: Visit) -> None:
    tab = visit("rep")
    address = _made(tab, "Rosalind Penhallow")
    tab.get_by_role("link", name="Edit company").click()
    field = tab.locator("#details").get_by_role("textbox", name="Company")
    field.fill("Penhallow Stoneworks")
    field.press("Enter")
    tab.wait_for_selector("#details >> text=Penhallow Stoneworks")
    assert tab.locator("#details form").count() == 0 and tab.url == address
    tab.reload()
    assert "Penhallow Stoneworks" in tab.inner_text("#details")
    assert re.search(r"Changed[\s\S]*(dana@|Dana)", tab.locator(".timeline").first.inner_text(), re.IGNORECASE)


def test_a_change_meanwhile_is_shown_and_nothing_is_overwritten_unasked(visit: Visit) -> None:
    mine, theirs = visit("rep", allowed=(409,)), visit("admin")
    address = _made(mine, "Barnaby Thistlewood")
    mine.get_by_role("link", name="Edit company").click()
    mine.locator("#details").get_by_role("textbox", name="Company").fill("Thistlewood & Daughters")

    theirs.goto(address)
    theirs.get_by_role("link", name="Edit company").click()
    theirs.locator("#details").get_by_role("textbox", name="Company").fill("Thistlewood Paving")
    theirs.locator("#details").get_by_role("button", name="Save").click()
    theirs.wait_for_selector("#details >> text=Thistlewood Paving")

    with mine.expect_response(lambda answer: answer.request.method == "POST") as posted:
        mine.locator("#details").get_by_role("button", name="Save").click()
    assert posted.value.status == 409
    mine.wait_for_selector("text=Changed meanwhile")
    shown = mine.inner_text("#details")
    assert "Thistlewood & Daughters" in shown and "Thistlewood Paving" in shown
    theirs.reload()
    assert "Thistlewood Paving" in theirs.inner_text("#details"), "nothing is saved before the person chose"
    mine.get_by_label(re.compile("Yours")).check()
    mine.get_by_role("button", name="Keep what is chosen").click()
    mine.wait_for_selector("#details dd >> text=Thistlewood & Daughters")


FILE = """Name,Phone,Email,City
Cordelia Brightwater,913-555-7301,cordelia@brightwater.example,Olathe
Ignatius Thornapple,913-555-7302,ignatius@thornapple.example,Lenexa
,,,Nowhere
"""


def test_a_file_is_mapped_looked_at_imported_and_undone(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "spring fair.csv").write_text(FILE)
    tab = visit("rep")
    tab.goto("/contacts/imports")
    tab.set_input_files("input[type=file]", str(tmp_path / "spring fair.csv"))
    tab.get_by_role("button", name="Upload and look").click()
    tab.wait_for_url(re.compile(r"/contacts/imports/\d+$"))
    looked = tab.get_by_role("table", name="What would happen to the first rows").inner_text()
    assert "Cordelia Brightwater" in looked and "Refused" in looked
    tab.get_by_role("button", name="Import 3 rows").click()
    tab.wait_for_selector("text=The import is done")
    assert _stat(tab, "Created") == "2" and _stat(tab, "Refused") == "1"
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download with reasons").click()
    assert "Nowhere" in download.value.path().read_text("utf-8-sig")
    assert _found(visit, "Brightwater") == 1

    tab.get_by_role("button", name="Undo the import").click()
    tab.locator("#confirm").get_by_role("button", name="Undo").click()
    tab.wait_for_selector("text=The import is undone")
    assert _found(visit, "Brightwater") == 0 and _found(visit, "Thornapple") == 0


def _stat(tab: Any, label: str) -> str:
    return tab.locator(".stat", has=tab.get_by_text(label, exact=True)).locator(".stat-value").inner_text()


def _found(visit: Visit, words: str) -> int:
    tab = visit("rep")
    tab.goto(f"/contacts?q={words}")
    return tab.locator("#list tbody tr").count()


def test_the_export_holds_what_the_list_shows(visit: Visit) -> None:
    tab = visit("rep")
    _made(tab, "Octavia Merriweather", City="Shawnee")
    tab.goto("/contacts?q=Merriweather")
    tab.locator("summary", has_text="More").or_(tab.get_by_label("More")).first.click()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Export as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert [row["Name"] for row in rows] == ["Octavia Merriweather"]
    assert rows[0]["City"] == "Shawnee"


def test_filters_are_kept_under_a_name_and_taken_away_again(visit: Visit) -> None:
    tab = visit("rep")
    tab.goto("/contacts?type=lead&sort=-activity")
    tab.locator("summary", has_text="Views").click()
    tab.get_by_label("Save these filters as").fill("Fresh leads")
    tab.get_by_role("button", name="Save view").click()
    tab.wait_for_selector(".chips >> text=Fresh leads")
    tab.goto("/contacts")
    tab.locator(".chips").get_by_role("link", name="Fresh leads").click()
    tab.wait_for_url("**/contacts?*type=lead*")
    tab.locator("summary", has_text="Views").click()
    tab.get_by_role("button", name="Delete view Fresh leads").click()
    tab.locator("#confirm").get_by_role("button", name="Delete view").click()
    tab.wait_for_selector(".chips:not(:has-text('Fresh leads'))")


def test_keys_lead_everywhere(visit: Visit) -> None:
    tab = visit("admin")
    tab.goto("/")
    tab.keyboard.press("g")
    tab.keyboard.press("c")
    tab.wait_for_url("**/contacts")
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "search"
    tab.keyboard.press("Escape")
    tab.keyboard.press("?")
    assert "Go to Contacts" in tab.inner_text("#help[open]")
    tab.keyboard.press("Escape")
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(r"/contacts/\d+$"))


def test_the_palette_finds_a_contact_and_opens_it(visit: Visit) -> None:
    tab = visit("rep")
    address = _made(tab, "Seraphina Quickbourne")
    tab.goto("/")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("quickbourne")
    tab.wait_for_selector("#palette [aria-selected=true]:has-text('Seraphina')")
    tab.keyboard.press("Enter")
    tab.wait_for_url(address)


def test_the_theme_chosen_stays(visit: Visit) -> None:
    tab = visit("rep")
    tab.goto("/contacts")
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.locator(".side-foot summary").click()
    for _ in range(2):
        tab.locator("[data-theme-toggle]").click()
    tab.goto("/")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_without_scripting_one_signs_in_searches_edits_and_imports(visit: Visit, tmp_path: Path) -> None:
    tab = visit("", script=False, allowed=(409, 422))
    sign_in(tab, "rep")
    _made(tab, "Peregrine Oakhurst", Phone_1="913 555 7333")
    tab.goto("/contacts")
    tab.locator("#search").fill("(913) 555-7333")
    tab.locator("#search").press("Enter")
    tab.wait_for_url("**q=**")
    assert tab.locator("#list .person-name").all_inner_texts() == ["Peregrine Oakhurst"]
    tab.locator("#list .person-name").click()
    tab.get_by_role("link", name="Edit company").click()
    tab.locator("#details").get_by_role("textbox", name="Company").fill("Oakhurst Masonry")
    tab.locator("#details").get_by_role("button", name="Save").click()
    assert re.search(r"/contacts/\d+$", tab.url) and "Oakhurst Masonry" in tab.inner_text("#details")
    tab.get_by_role("link", name="Edit", exact=True).click()
    tab.get_by_label("City").fill("Gladstone")
    tab.get_by_role("button", name="Save").click()
    assert "Gladstone" in tab.inner_text("#details")

    (tmp_path / "one.csv").write_text("Name,Phone\nEuphemia Larkspur,913-555-7344\n")
    tab.goto("/contacts/imports")
    tab.set_input_files("input[type=file]", str(tmp_path / "one.csv"))
    tab.get_by_role("button", name="Upload and look").click()
    tab.get_by_role("button", name="Import 1 row").click()
    deadline = time.monotonic() + 60
    while not tab.get_by_text("The import is done").count():
        assert time.monotonic() < deadline, tab.inner_text("main")
        tab.wait_for_timeout(250)
        tab.get_by_role("link", name="Look again").click()
    assert _stat(tab, "Created") == "1"
