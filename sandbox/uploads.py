"""Attachments: files and notes that belong to a document or name [FACTS 2.8; recorded: upload_attachable_response].

``receive`` takes the parts of a multipart upload, ``prepare`` checks the record itself. Called by ``sandbox.api`` and
``sandbox.rules``. Ids are as long as the real ones: 19 digits.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from sandbox import exact, faults
from sandbox.entities import ENTITIES
from sandbox.store import Books, envelope

FIRST_ID = 5_000_000_000_000_000_000
LARGEST = 100 * 1024 * 1024
Part = tuple[str | None, str, bytes | None]  # metadata text, file name, content


def prepare(books: Books, record: dict) -> dict:
    """An attachment's record. Raises 6050 for what cannot have attachments, 2500 for what is not there."""
    if not record.get("FileName") and not record.get("Note"):
        raise faults.required("FileName or Note")
    for ref in record.get("AttachableRef", []):
        target = ref.get("EntityRef") or {}
        kind, id = str(target.get("type")), str(target.get("value"))
        if kind not in ENTITIES:
            raise faults.Fault("6050", "Entity type not attachable", f"Nothing can be attached to {kind}.")
        if not id.isdigit() or books.text(kind, id) is None:
            raise faults.invalid_reference("AttachableRef.EntityRef")
        ref.setdefault("IncludeOnSend", False)
    if books.counter("Attachable") < FIRST_ID:
        books.set_counter("Attachable", FIRST_ID)
    return record


def receive(parts: Iterator[Part], keep: Callable[[Part], dict]) -> str:
    """The AttachableResponse list as JSON text: each file is kept or refused by itself, HTTP 200 in any case."""
    answers = []
    for part in parts:
        try:
            answers.append({"Attachable": keep(part)})
        except faults.Fault as fault:
            answers.append({"Fault": {"Error": [fault.error()], "type": fault.type}})
    if not answers:
        raise faults.Fault("6041", "Invalid file", "The upload holds neither file_metadata_0 nor file_content_0 parts.")
    return exact.dumps(answers)


def from_text(text: str) -> bytes:
    """The bytes of a file sent as a plain form field, in Base64 as python-quickbooks does; other text as it is."""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        return text.encode()


def read(part: Part) -> tuple[dict, bytes]:
    """(record asked for, content) of one part. Raises 6030, 6040, 6041."""
    metadata, name, content = part
    if content is None:
        raise faults.Fault("6041", "Invalid file", "The part file_content of this file is missing.")
    if len(content) > LARGEST:
        raise faults.Fault("6030", "File too large", "A file may have 100 MB.")
    try:
        body: Any = exact.loads(metadata) if metadata else {"FileName": name}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise faults.Fault("6040", "Invalid metadata", "The part file_metadata does not hold an Attachable.")
    return {"FileName": name, **body}, content


def kept(books: Books, record: dict, content: bytes, address: str, now: datetime) -> dict:
    """Store a checked record with its bytes; ``address`` is where the server can be reached."""
    record = prepare(books, record)
    id = books.next_id("Attachable")
    path = f"/v3/company/{books.realm}/download/{id}"
    record |= {"FileAccessUri": path, "TempDownloadUri": address + f"/_sandbox/file/{books.realm}/{id}",
               "Size": len(content)}  # fmt: skip
    body = envelope(record, id=id, created=now)
    books.put("Attachable", body)
    books.connection.execute("INSERT INTO attachment VALUES (?,?,?)", (books.realm, int(id), content))
    return body


def content(books: Books, id: str) -> bytes | None:
    """The bytes of an uploaded file."""
    row = books.connection.execute(
        "SELECT content FROM attachment WHERE realm=? AND id=?", (books.realm, int(id))
    ).fetchone()
    return row[0] if row else None
