"""Contacts in CSV files: reading any delimiter and encoding, guessing what a column means.

Pure: bytes and texts in, texts and `FileRow`s out. Whether a row is somebody we know already is not decided here.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.domain.contacts import FIELDS, MAX_NOTE, TYPES, Draft, Entry, clean, name_from, problems, read_tags
from crm.domain.errors import Invalid
from crm.domain.names import fold

MAX_ROWS = 200_000
MAX_COLUMNS = 200
HEAD = 20_000
"""Characters from the beginning that the delimiter is told by."""
PIECE = 1 << 20
DELIMITERS = ",;\t|"

EXPORT = (
    "Id", "Name", "First name", "Last name", "Company", "Type", "Phone", "Other phones", "E-mail", "Other e-mails",
    "Street", "City", "State", "ZIP", "Country", "Website", "Owner", "Tags", "QuickBooks", "Open balance", "Overdue",
    "Total sales", "Currency", "Last activity", "Created", "Archived",
)  # fmt: skip

#: What a column can be. Phones and e-mails carry their label after a point; several columns may be one of them.
TARGETS: dict[str, str] = {name: field.label for name, field in FIELDS.items()} | {
    "phone": "Phone", "phone.mobile": "Phone (mobile)", "phone.home": "Phone (home)", "phone.work": "Phone (work)",
    "phone.fax": "Phone (fax)", "email": "E-mail", "email.work": "E-mail (work)", "email.home": "E-mail (home)",
    "type": "Type", "tags": "Tags", "owner": "Owner (e-mail)", "notes": "Notes",
}  # fmt: skip
REPEATABLE = ("phone", "email", "tags", "notes", "street")

_HEADERS: dict[str, str] = {
    "display_name": "name,full name,display name,contact,contact name,customer,customer name,client,client name,title",
    "given_name": "first name,first,given name,forename,firstname",
    "family_name": "last name,last,family name,surname,lastname",
    "company_name": "company,company name,business,business name,organization,organisation,account,account name,firm",
    "phone": "phone,phone number,telephone,tel,primary phone,main phone,phone 1,phone1,other phones,phone 1 value",
    "phone.mobile": "mobile,mobile phone,cell,cell phone,cellphone,mobile number",
    "phone.home": "home phone,phone home,home telephone",
    "phone.work": "work phone,business phone,office phone,phone work,phone 2,phone2,alt phone,alternate phone,"
    "other phone",
    "phone.fax": "fax,fax number,business fax",
    "email": "email,e mail,email address,e mail address,primary email,main email,email 1,other e mails,e mail 1 value",
    "email.work": "work email,business email,email 2,e mail 2,email2",
    "email.home": "home email,personal email",
    "street": "street,address,street address,address 1,address line 1,billing address,mailing address,address 2,"
    "address line 2,billing street",
    "city": "city,town,billing city,locality",
    "region": "state,province,region,county,state province,billing state",
    "postal_code": "zip,zip code,zipcode,postal code,postcode,post code,billing zip",
    "country": "country,country region,billing country",
    "website": "website,web site,web,url,web page,homepage",
    "type": "type,contact type,kind,category,status,lead status",
    "tags": "tags,tag,labels,groups,group membership,categories",
    "owner": "owner,owner e mail,owner email,assigned to,sales rep,rep,salesperson",
    "notes": "notes,note,comments,comment,remarks,memo,description",
}
_BY_HEADER = {header: target for target, headers in _HEADERS.items() for header in headers.split(",")}
_TYPE_WORDS = {
    "customer": "customer,client,homeowner,business,residential,commercial,tenant,owner,won",
    "lead": "lead,prospect,enquiry,inquiry,new,open,lost",
    "vendor": "vendor,supplier,subcontractor,contractor",
    "partner": "partner,realtor,agent,referral,referrer",
    "other": "other,person,misc",
}
_TYPES = {word: type_ for type_, words in _TYPE_WORDS.items() for word in words.split(",")}
_NOTHING = frozenset(("n a", "na", "none", "null", "nil", "unknown", "no", "no email", "no phone", "tbd"))


@dataclass(frozen=True, slots=True)
class Table:
    """A file as read: the heads of its columns and the rows below, each as long as the head."""

    header: list[str]
    rows: Iterator[tuple[int, list[str]]]
    """(line as a spreadsheet counts it, cells), read one by one as they are asked for, once; empty lines are left out.
    The last one is followed by Invalid, where the file holds too many, none, or what cannot be read."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row as a contact would be made of it; `problem` says in a sentence why it cannot."""

    draft: Draft
    note: str = ""
    owner: str = ""
    problem: str = ""


def encoding_of(data: bytes) -> str:
    """UTF-8 or UTF-16 (with or without mark), else Windows' western code page."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data) + PIECE, PIECE):
            decoder.decode(data[start : start + PIECE], final=start >= len(data))
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def read_table(data: bytes) -> Table:
    """The table in a CSV file of any usual delimiter and encoding. Raises Invalid with what to do about it.

    Only the headings are read; the rows follow as they are asked for, so that a long file takes little memory.
    """
    if data[:4] == b"PK\x03\x04" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise Invalid({"file": "This is an Excel workbook. Save it there as “CSV UTF-8” and choose that file."})
    encoding = encoding_of(data)
    with _opened(data, encoding) as text:
        head = text.read(HEAD).replace("\x00", "")
    lines = _lines(data, encoding, delimiter_of(head))
    heads = next((line for _, line in lines if any(cell.strip() for cell in line)), [])
    if not heads:
        raise Invalid({"file": "The file is empty. Choose one with a line of headings and a line per contact."})
    header = [clean(cell)[:200] or f"Column {n}" for n, cell in enumerate(heads, 1)]
    if len(header) > MAX_COLUMNS:
        raise Invalid({"file": f"The file has {len(header)} columns; up to {MAX_COLUMNS} can be read. Leave some out."})
    return Table(header, _rows(lines, len(header)))


def _opened(data: bytes, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding=encoding, errors="replace", newline="")


def _lines(data: bytes, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    text = (line.replace("\x00", "") for line in _opened(data, encoding))
    try:
        yield from enumerate(csv.reader(text, delimiter=delimiter), 1)
    except csv.Error as problem:
        raise Invalid(
            {"file": f"The file could not be read as CSV ({problem}). Save it anew as “CSV UTF-8”."}
        ) from None


def _rows(lines: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    held = 0
    for number, line in lines:
        if any(cell.strip() for cell in line):
            held += 1
            if held > MAX_ROWS:
                raise Invalid({"file": f"The file has more than {MAX_ROWS:,} rows, the most at once. Split it."})
            yield number, (line + [""] * width)[:width]
    if not held:
        raise Invalid({"file": "The file has headings but no contacts below them."})


def delimiter_of(text: str) -> str:
    """The delimiter that cuts the first lines of a file into the most, and equally many, columns."""
    best, comma = (0.0, 1), ","
    for delimiter in DELIMITERS:
        try:
            lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if line][:30]
        except csv.Error:
            continue
        if not lines:
            continue
        width, often = Counter(len(line) for line in lines).most_common(1)[0]
        if width > 1 and (often / len(lines), width) > best:
            best, comma = (often / len(lines), width), delimiter
    return comma


def guess(header: Sequence[str]) -> dict[str, str]:
    """What the columns mean, by their headings: place of the column (as text) -> target. Unknown ones are left out."""
    found: dict[str, str] = {}
    for place, name in enumerate(header):
        target = _BY_HEADER.get(fold(name))
        if target and (target.split(".")[0] in REPEATABLE or target not in found.values()):
            found[str(place)] = target
    return found


def check_mapping(mapping: Mapping[str, str]) -> dict[str, str]:
    """Sentences on what is wrong with a mapping; empty when it can be used."""
    twice = [t for t, n in Counter(mapping.values()).items() if n > 1 and t.split(".")[0] not in REPEATABLE]
    found = {f"map-{t}": f"{TARGETS[t]} is chosen for two columns. Choose it once." for t in twice}
    names = {"display_name", "given_name", "family_name", "company_name"}
    reachable = {target.split(".")[0] for target in mapping.values()}
    if not names & set(mapping.values()) and not {"phone", "email"} & reachable:
        found["mapping"] = "No column says who the contact is. Choose one for the name, company, phone or e-mail."
    return found


def read_row(cells: Sequence[str], mapping: Mapping[str, str]) -> FileRow:
    """The contact a row describes, by the mapping; with the sentence why not, where it cannot be one."""
    values: dict[str, str] = {}
    entries: list[Entry] = []
    tags, notes, owner, wrong = "", "", "", ""
    for place, target in mapping.items():
        raw = cells[int(place)] if int(place) < len(cells) else ""
        text = without_guard(clean(raw))
        if not text or (len(text) < 12 and target != "notes" and fold(text) in _NOTHING):
            continue
        kind, _, label = target.partition(".")
        if kind in ("phone", "email"):
            entries.append(Entry(kind, text, label))
        elif kind == "tags":
            tags = f"{tags}, {text}"
        elif kind == "notes":
            notes = f"{notes}\n{raw.strip()}".strip()[:MAX_NOTE]
        elif kind == "owner":
            owner = text.lower()
        elif kind == "type":
            values["type"] = read_type(text)
            wrong = (
                "" if values["type"] else f"Type “{text[:40]}” is not known; use one of {', '.join(TYPES.values())}."
            )
        else:
            values[kind] = f"{values[kind]}, {text}" if kind == "street" and values.get(kind) else text
    first = {entry.kind: entry.value for entry in reversed(entries)}
    values["display_name"] = values.get("display_name") or name_from({**values, **first})
    found = problems({**values, "type": values.get("type") or "lead"}, entries)
    sentences = " ".join(sentence for sentence in (wrong, *found.values()) if sentence)
    return FileRow(Draft(values, tuple(entries), read_tags(tags)), notes, owner, sentences)


def read_type(text: str) -> str:
    """A type's key from the words files use for it; empty when there is none."""
    return _TYPES.get(fold(text), "")


def without_guard(text: str) -> str:
    """What the guard against formulas (crm/exports.py) made of a text, undone: for files that come back to us."""
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@", "\t", "\r") else text


def export_row(row: Any, details: Any) -> list[str]:
    """One contact (queries.contacts.Row and its Details) as cells in the order of EXPORT."""
    phones, emails = details.phones, details.emails
    return [
        str(row.id), row.name, details.given_name, details.family_name, row.company, row.type, _first(phones),
        "; ".join(phones[1:]), _first(emails), "; ".join(emails[1:]), details.street, row.city, details.region,
        details.postal_code, details.country, details.website, row.owner, ", ".join(row.tags), row.link_state,
        _text(row.balance), _text(row.overdue), _text(row.total_sales), row.currency if row.balance is not None else "",
        row.last_activity_at.date().isoformat() if row.last_activity_at else "", row.created_at.date().isoformat(),
        "yes" if row.archived else "",
    ]  # fmt: skip


def _first(values: tuple[str, ...]) -> str:
    return values[0] if values else ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)
