"""Contacts and their customers at the conflict desk (`conflict_desk.Desk`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from crm.domain.errors import Invalid
from crm.domain.shared_fields import ADDRESS, TITLES
from crm.services import conflict_deeds as deeds
from crm.services import conflict_values, contacts, timeline
from crm.services.audit import Actor
from crm.services.conflict_values import Typed
from crm.services.sync.merge.comparing import Compared, compare_linked
from crm.services.sync.merge.enrich import again
from crm.services.sync.work import Books


class Contacts:
    titles: Mapping[str, str] = TITLES
    subject = "contact"

    def compare(self, session: Session, local_ids: Sequence[int], *, books: Books) -> Mapping[int, Compared]:
        return compare_linked(session, local_ids, books=books)

    def is_linked(self, compared: Compared) -> bool:
        return compared.link is not None

    def agrees(self, compared: Compared, field: str) -> bool:
        return field in compared.merged.agreed

    def value(self, compared: Compared, field: str, choice: str) -> str:
        return deeds.value(compared, field, choice)

    def write_by_hand(
        self, compared: Compared, field: str, value: Typed | None, *, actor: Actor, now: datetime
    ) -> str:  # fmt: skip
        contact, written = compared.contact, conflict_values.read(compared, field, value)
        try:
            contacts.change(
                contact.id, written.values, lines=written.lines, version=contact.version, actor=actor, now=now
            )
        except Invalid as problem:
            parts = {name: text for name, text in problem.fields.items() if name in ADDRESS and field == "address"}
            raise Invalid(parts or {"value": str(problem)}) from None
        return written.shown

    def carry_out(
        self, session: Session, meant: Sequence[Compared], field: str, choice: str, *, books: Books, actor: Actor,
        now: datetime,
    ) -> bool:  # fmt: skip
        return deeds.carry_out(session, meant, field, choice, books=books, actor=actor, now=now)

    def said(self, compared: Compared, field: str, choice: str, *, chosen: str, goes_out: bool) -> str:
        return deeds.said(compared, field, choice, chosen, goes_out=goes_out)

    def tell(self, texts: Mapping[int, str], *, actor: Actor, now: datetime) -> None:
        timeline.add_many([
            timeline.row(contact_id, verb="decided", summary=text, actor=actor, now=now)
            for contact_id, text in texts.items()
        ])  # fmt: skip

    def again(self, session: Session, local_ids: Sequence[int], *, books: Books, now: datetime) -> None:
        again(session, list(local_ids), books=books, now=now)
