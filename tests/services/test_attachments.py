"""Files at documents: what is taken, what it is called, where it lies and when it goes."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path

import pytest
from flask import Flask

from crm import clock, config
from crm.db import db, transaction
from crm.domain import files
from crm.domain.errors import Invalid, NotFound, Refused
from crm.domain.sales_content import Content
from crm.models import Attachment, SalesDocument
from crm.services import attachments, sales_documents
from crm.services.audit import Actor

KIM, NOW = Actor("kim@example.com"), clock.now()


def archive(*names: str, mimetype: str = "") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        if mimetype:
            zipped.writestr("mimetype", mimetype)
        for name in names:
            zipped.writestr(name, "x")
    return made.getvalue()


DOCX = archive("[Content_Types].xml", "word/document.xml")
ODT = archive("content.xml", mimetype="application/vnd.oasis.opendocument.text")
TAKEN = [
    (b"%PDF-1.7 ...", "application/pdf"), (b"\x89PNG\r\n\x1a\n...", "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg"),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"), ("Größe, 1\n".encode(), "text/plain"),
    (b"<script>alert(1)</script>", "text/plain"), (DOCX, files._OFFICE["word/"].content_type),
    (ODT, "application/vnd.oasis.opendocument.text"),
]  # fmt: skip
REFUSED = [
    (b"", "is empty"),
    (b"x" * (files.MOST_BYTES + 1), "10 MB is the most"),
    (b"MZ\x90\x00\x03", "is not taken"),
    (b"\x7fELF\x02", "is not taken"),
    (archive("a.txt"), "is not taken"),
    (b"PK\x03\x04 broken", "is damaged"),
    (archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), "holds macros"),
    (archive("Basic/script.xml", mimetype="application/vnd.oasis.opendocument.text"), "holds macros"),
    (archive("[Content_Types].xml", "other/x.xml"), "is not taken"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is not taken"),
    (b"text\x00with nul", "is not taken"),
    (b"\xff\xfe\x00", "is not taken"),
]


@pytest.mark.parametrize(("data", "content_type"), TAKEN)
def test_what_a_file_is_is_told_by_its_bytes(data: bytes, content_type: str) -> None:
    kind = files.kind_of(data)
    assert isinstance(kind, files.Kind) and kind.content_type == content_type


@pytest.mark.parametrize(("data", "why"), REFUSED)
def test_what_could_do_harm_or_is_unknown_is_refused_with_the_reason(data: bytes, why: str) -> None:
    said = files.kind_of(data)
    assert isinstance(said, str) and why in said


@pytest.mark.parametrize(
    ("name", "kind", "clean"),
    [
        ("plan.pdf", files.PDF, "plan.pdf"),
        ("Plan.PDF", files.PDF, "Plan.pdf"),
        ("plan.exe", files.PDF, "plan.exe.pdf"),
        ("../../etc/passwd", files.TEXT, "passwd.txt"),
        ("C:\\temp\\a.txt", files.TEXT, "a.txt"),
        ("page.html", files.TEXT, "page.html.txt"),
        ("a\r\nSet-Cookie: x.png", files.PNG, "a Set-Cookie- x.png"),
        ("\u202egnp.exe", files.PNG, "gnp.exe.png"),
        (".htaccess", files.TEXT, "htaccess.txt"),
        ("", files.PDF, "file.pdf"),
        ("...", files.PDF, "file.pdf"),
        ("CON.pdf", files.PDF, "_CON.pdf"),
        ("Größe 图纸.jpeg", files.JPEG, "Größe 图纸.jpeg"),
        ("x" * 300 + ".pdf", files.PDF, "x" * 120 + ".pdf"),
        ('a"b;c.csv', files.TEXT, "a-b;c.csv"),
    ],
)
def test_names_are_safe_and_their_extension_tells_the_truth(name: str, kind: files.Kind, clean: str) -> None:
    assert files.clean_name(name, kind) == clean


@pytest.fixture
def document(app: Flask) -> SalesDocument:
    return made()


def made() -> SalesDocument:
    with transaction():
        return sales_documents.new("estimate", Content(title="Wall"), state="draft", actor=KIM, now=NOW)


def add(document: SalesDocument, data: bytes, name: str = "plan.txt") -> Attachment:
    with transaction():
        return attachments.add(document.id, name, data=data, for_customer=True, actor=KIM, now=NOW)


def remove(row: Attachment) -> None:
    with transaction():
        attachments.remove(row.id, row.document_id, actor=KIM, now=NOW)


def lying() -> list[Path]:
    folder = config.current().instance_dir / attachments.FOLDER
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_same_file_lies_there_once_and_goes_with_the_last_that_needs_it(document: SalesDocument) -> None:
    before = set(lying())
    first, second = add(document, b"shared by two"), add(made(), b"shared by two")
    (mine,) = set(lying()) - before
    assert mine.read_bytes() == b"shared by two" and mine.name == first.digest
    remove(first)
    assert attachments.path(second).read_bytes() == b"shared by two"
    remove(second)
    assert set(lying()) == before


def test_a_file_that_somebody_adds_while_it_is_removed_is_not_lost(
    app: Flask, document: SalesDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed here, and added elsewhere before this side asks who needs it; then after it asked."""
    other = made()
    row = add(document, b"raced for")
    inner = attachments._drop

    def beside() -> None:
        with app.app_context():
            add(other, b"raced for")

    def meanwhile(digest: str) -> None:
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
        inner(digest)

    monkeypatch.setattr(attachments, "_drop", meanwhile)
    remove(row)
    db.session.rollback()
    assert attachments.path(attachments.of_document(other.id)[0]).read_bytes() == b"raced for"


def test_one_that_commits_after_the_file_was_put_aside_writes_it_again(document: SalesDocument) -> None:
    with transaction():
        row = attachments.add(document.id, "a.txt", data=b"late", for_customer=True, actor=KIM, now=NOW)
        attachments.path(row).unlink()  # the other side found no row yet, and took the file away
    assert attachments.path(row).read_bytes() == b"late"


def test_no_document_holds_the_same_file_twice_or_too_many(
    document: SalesDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(document, b"one")
    with pytest.raises(Invalid, match=r"here already, as plan\.txt"):
        add(document, b"one", "other.txt")
    monkeypatch.setattr(attachments, "MOST_FILES", 1)
    with pytest.raises(Refused, match="1 files are the most"):
        add(document, b"two")


def test_a_file_is_found_at_its_own_document_alone(document: SalesDocument) -> None:
    row = add(document, b"mine")
    with pytest.raises(NotFound):
        attachments.find(row.id, made().id)
    with transaction():
        attachments.show(row.id, document.id, for_customer=False, actor=KIM, now=NOW)
    with pytest.raises(NotFound):
        attachments.find(row.id, document.id, for_customer=True)


def test_a_file_that_was_not_restored_says_which_folder_is_missing(document: SalesDocument) -> None:
    row = add(document, b"gone astray")
    attachments.path(row).unlink()
    with pytest.raises(NotFound, match="Restore the folder files"):
        attachments.path(row)
