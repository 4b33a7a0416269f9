"""What quotes and invoices have in common for colleagues: PDF, the customer's link, files, what the customer asked.

Their pages include `papers/_panel.html` and `papers/_buttons.html`, which ask `papers_of` for all they need. Every
address begins /documents/<id>; each deed leads back to the document's own page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, flash, make_response, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.downloads import sandboxed
from crm.db import transaction
from crm.domain.errors import Invalid, Refused
from crm.domain.files import ACCEPTED, WHICH
from crm.security import requires
from crm.services import attachments, public_answers, public_links, sales_documents, sales_papers, sales_pdf
from crm.web import go

blueprint = Blueprint("papers", __name__, url_prefix="/documents/<int:document_id>")

PAGES = {"estimate": "quotes.show", "invoice": "invoices.show"}


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside a document."""

    files: Any
    link: Any
    """The live link, or None."""
    address: str
    """Its whole address; empty without one."""
    said: str
    """What the customer did that nobody took note of yet."""
    accepts: str = ACCEPTED
    which: str = WHICH


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"papers_of": _around}


def _around(document: Any) -> Around:
    link = public_links.live(document.id, now=clock.now())
    root = current_app.extensions["settings"].app_url
    return Around(
        files=attachments.of_document(document.id),
        link=link,
        address=root + public_links.path(link) if link is not None else "",
        said=public_answers.unheeded(document),
    )


@blueprint.get("/pdf")
@requires("sales.read")
def pdf(document_id: int) -> Any:
    paper = sales_papers.of_document(sales_documents.find(document_id), now=clock.now())
    answer = make_response(sales_pdf.of_paper(paper, now=clock.now()))
    answer.mimetype = "application/pdf"
    answer.headers["Content-Disposition"] = f'inline; filename="{sales_pdf.file_name(paper)}"'
    return answer


@blueprint.post("/link")
@requires("sales.write")
def link(document_id: int) -> Any:
    return _done(document_id, lambda: public_links.make(document_id, actor=actor(), now=clock.now()),
                 "The link is ready to copy.")  # fmt: skip


@blueprint.post("/link/revoke")
@requires("sales.write")
def revoke(document_id: int) -> Any:
    return _done(document_id, lambda: public_links.revoke(document_id, actor=actor(), now=clock.now()),
                 "The link opens nothing any more.")  # fmt: skip


@blueprint.post("/noted")
@requires("sales.write")
def noted(document_id: int) -> Any:
    return _done(document_id, lambda: public_answers.noted(document_id, actor=actor(), now=clock.now()), "Noted.")


@blueprint.post("/files")
@requires("sales.write")
def attach(document_id: int) -> Any:
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        flash("Choose a file first.", "error")
        return _back(document_id)
    name, data, shown = upload.filename, upload.read(), "for_customer" in request.form
    return _done(
        document_id,
        lambda: attachments.add(document_id, name, data=data, for_customer=shown, actor=actor(), now=clock.now()),
        "The file was added.",
    )


@blueprint.get("/files/<int:attachment_id>")
@requires("sales.read")
def file(document_id: int, attachment_id: int) -> Any:
    return sandboxed(attachments.find(attachment_id, document_id))


@blueprint.post("/files/<int:attachment_id>/show")
@requires("sales.write")
def show_file(document_id: int, attachment_id: int) -> Any:
    shown = request.form.get("for_customer") == "1"
    return _done(
        document_id,
        lambda: attachments.show(attachment_id, document_id, for_customer=shown, actor=actor(), now=clock.now()),
        "The customer sees this file now." if shown else "The customer does not see this file any more.",
    )


@blueprint.post("/files/<int:attachment_id>/delete")
@requires("sales.write")
def detach(document_id: int, attachment_id: int) -> Any:
    return _done(document_id, lambda: attachments.remove(attachment_id, document_id, actor=actor(), now=clock.now()),
                 "The file was removed.")  # fmt: skip


def _done(document_id: int, deed: Any, words: str) -> Any:
    """Do it and say so on the document's page; what is refused is said there too."""
    page = _back(document_id)
    try:
        with transaction():
            deed()
    except Invalid as problem:
        flash(" ".join(problem.fields.values()), "error")
    except Refused as problem:
        flash(str(problem), "error")
    else:
        flash(words, "success")
    return page


def _back(document_id: int) -> Any:
    return go(PAGES[sales_documents.find(document_id).kind], document_id=document_id)
