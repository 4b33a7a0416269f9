"""Files at a quote or invoice: added, found, taken away. The bytes lie in the instance folder, named by their digest.

The same file at two documents lies there once, and goes with the last of them. Taking away is made so that a file that
somebody adds at that very moment is never lost: see `_drop`. Called inside `transaction()` where something changes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from crm import config
from crm.db import after_commit, db
from crm.domain import files
from crm.domain.errors import Invalid, NotFound, Refused
from crm.models import Attachment, SalesDocument
from crm.services import sales_documents
from crm.services.audit import Actor

FOLDER = "files"
"""In the instance folder."""
MOST_FILES = 20


def of_document(document_id: int, *, for_customer: bool = False) -> Sequence[Attachment]:
    """In the order they were added; `for_customer`: those alone that the customer may see."""
    query = select(Attachment).where(Attachment.document_id == document_id).order_by(Attachment.id)
    return db.session.scalars(query.where(Attachment.for_customer) if for_customer else query).all()


def add(document_id: int, name: str, *, data: bytes, for_customer: bool, actor: Actor, now: datetime) -> Attachment:
    """Raises NotFound, Refused for a deleted document or too many files, Invalid (`file`) for what is not taken."""
    document = _open(document_id)
    kind = files.kind_of(data)
    if isinstance(kind, str):
        raise Invalid({"file": kind})
    found = of_document(document_id)
    digest = hashlib.sha256(data).hexdigest()
    same = next((one for one in found if one.digest == digest), None)
    if same is not None:
        raise Invalid({"file": f"This file is here already, as {same.name}."})
    if len(found) >= MOST_FILES:
        raise Refused(f"{MOST_FILES} files are the most. Remove one first.")
    row = Attachment(
        document_id=document.id, name=files.clean_name(name, kind), content_type=kind.content_type, size=len(data),
        digest=digest, for_customer=for_customer, added_by=actor.label[:254], added_at=now,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    _write(digest, data)
    after_commit(lambda: _write(digest, data))
    words = "for the customer" if for_customer else "for colleagues"
    sales_documents.tell(document, "attached", f"{row.name} added, {words}", actor=actor, now=now)
    return row


def show(attachment_id: int, document_id: int, *, for_customer: bool, actor: Actor, now: datetime) -> Attachment:
    """Whether the customer sees it. Raises NotFound."""
    document, row = _open(document_id), find(attachment_id, document_id)
    if row.for_customer != for_customer:
        row.for_customer = for_customer
        words = "shown to the customer" if for_customer else "hidden from the customer"
        sales_documents.tell(document, "attached", f"{row.name} {words}", actor=actor, now=now)
    return row


def remove(attachment_id: int, document_id: int, *, actor: Actor, now: datetime) -> None:
    """It is gone; its file too, unless another document has the same. Raises NotFound."""
    document, row = _open(document_id), find(attachment_id, document_id)
    digest = row.digest
    db.session.delete(row)
    db.session.flush()
    sales_documents.tell(document, "detached", f"{row.name} removed", actor=actor, now=now)
    after_commit(lambda: _drop(digest))


def find(attachment_id: int, document_id: int, *, for_customer: bool = False) -> Attachment:
    """Raises NotFound; one of another document, or not for the customer where that is asked, is none."""
    row = db.session.get(Attachment, attachment_id)
    if row is None or row.document_id != document_id or (for_customer and not row.for_customer):
        raise NotFound("There is no such file. It may have been removed.")
    return row


def path(row: Attachment) -> Path:
    """Where its bytes lie. Raises NotFound with the way out where they were not brought along to this machine."""
    found = _path(row.digest)
    if not found.is_file():
        raise NotFound(f"{row.name} is not on this server. Restore the folder {FOLDER} from the backup.")
    return found


def _open(document_id: int) -> SalesDocument:
    document = sales_documents.find(document_id)
    if document.gone_at is not None:
        raise Refused("This document was deleted; its files stay as they are.")
    return document


def _path(digest: str) -> Path:
    return config.current().instance_dir / FOLDER / digest[:2] / digest


def _write(digest: str, data: bytes) -> None:
    """Whole or not at all; nothing to do where it lies there. Called again after the commit: see `_drop`."""
    target = _path(digest)
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{digest}.{secrets.token_hex(4)}.part")
    part.write_bytes(data)
    os.replace(part, target)


def _drop(digest: str) -> None:
    """Put the file aside, then ask whether anybody needs it. Whoever adds the same file commits first and looks for it
    afterwards: so either they are seen here, or they find it missing and write it again."""
    target = _path(digest)
    aside = target.with_name(f"{digest}.{secrets.token_hex(4)}.part")
    try:
        os.replace(target, aside)
    except FileNotFoundError:
        return
    if db.session.scalar(select(func.count()).where(Attachment.digest == digest)):
        os.replace(aside, target)
    else:
        aside.unlink()
