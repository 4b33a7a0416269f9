"""What of a payment recorded here is a change to the one of the books, and how it reads. Used by `receipt` alone."""

from __future__ import annotations

from dataclasses import replace

from crm.domain.record_documents import PaymentRecord
from crm.domain.record_parts import Ref

SHARED = ("date", "total", "method", "reference", "deposit_account", "private_note", "applied")


def onto(theirs: PaymentRecord, ours: PaymentRecord) -> PaymentRecord:
    """Ours, with what the books know of it besides; nothing is a change that only reads differently."""
    known = {(one.kind, one.remote_id): one for one in theirs.applied}
    applied = [replace(known.get((one.kind, one.remote_id), one), amount=one.amount) for one in ours.applied]
    same = {(one.kind, one.remote_id, one.amount) for one in applied} == {
        (one.kind, one.remote_id, one.amount) for one in theirs.applied}  # fmt: skip
    return replace(
        theirs, date=ours.date, total=ours.total, private_note=ours.private_note,
        method=theirs.method if _id(theirs.method) == _id(ours.method) else ours.method,
        reference=theirs.reference if theirs.reference[:21] == ours.reference else ours.reference,
        deposit_account=theirs.deposit_account if not ours.deposit_account
        or _id(theirs.deposit_account) == _id(ours.deposit_account) else ours.deposit_account,
        applied=theirs.applied if same else tuple(applied),
    )  # fmt: skip


def _id(ref: Ref | None) -> str:
    return ref.remote_id if ref is not None else ""


def said(record: PaymentRecord, name: str) -> str:
    value = getattr(record, name)
    if name == "applied":
        return ", ".join(f"{one.remote_id}: {one.amount:,.2f}" for one in value)
    return _id(value) if isinstance(value, Ref) else "" if value is None else str(value)
