"""What the customer reads: the page, its PDF, its files, the company's logo."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import Response, current_app, make_response, request, send_file
from flask_login import current_user

from crm import clock
from crm.blueprints.downloads import sandboxed
from crm.blueprints.public import NOTHING, Closed, address, admit, blueprint, link_of
from crm.db import db, transaction
from crm.domain import quotes
from crm.domain.days import company_day
from crm.domain.errors import NotFound
from crm.queries.sales_documents import zone
from crm.security import may, public
from crm.services import (
    attachments,
    public_answers,
    public_links,
    sales_documents,
    sales_papers,
    sales_pdf,
    sales_settings,
)
from crm.web import page


@blueprint.get("/<token>")
@public
def show(token: str) -> Any:
    link = link_of(token)
    paper_of(link)  # nothing is viewed where there is nothing to see
    if request.method == "GET" and not current_user.is_authenticated and "Sec-Purpose" not in request.headers:
        with transaction():
            public_links.seen(link.id, actor=public_answers.customer(ip=address()), now=clock.now())
    return drawn(link, asked="asked" in request.args)


@blueprint.get("/<token>/pdf")
@public
def pdf(token: str) -> Any:
    link = link_of(token)
    admit("file", link)
    paper = paper_of(link)
    answer = make_response(sales_pdf.of_paper(paper, now=clock.now()))
    answer.mimetype = "application/pdf"
    answer.headers["Content-Disposition"] = f'inline; filename="{sales_pdf.file_name(paper)}"'
    return answer


@blueprint.get("/<token>/files/<int:attachment_id>")
@public
def file(token: str, attachment_id: int) -> Any:
    link = link_of(token)
    admit("file", link)
    paper_of(link)
    return sandboxed(attachments.find(attachment_id, link.document_id, for_customer=True))


@blueprint.get("/<token>/logo")
@public
def logo(token: str) -> Any:
    found = sales_settings.logo(paper_of(link_of(token)).header, current_app.extensions["settings"].instance_dir)
    if found is None:
        raise NotFound("There is no logo.")
    return send_file(found, max_age=0)


def paper_of(link: Any, chosen: Collection[int] | None = None) -> sales_papers.Paper:
    """What this link shows; a colleague sees drafts too. Raises Closed where there is nothing for the customer yet."""
    document = sales_documents.find(link.document_id)
    colleague = may(current_user, "sales.read")
    if not colleague and not sales_papers.may_be_shown(document):
        raise Closed(NOTHING)
    return sales_papers.of_document(document, now=clock.now(), chosen=chosen, for_customer=not colleague)


def drawn(
    link: Any,
    *,
    status: int = 200,
    chosen: Collection[int] | None = None,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    problem: str = "",
    asked: bool = False,
) -> Response:
    """The page; `chosen`, `typed` and `errors` as they stand in a form that came back."""
    db.session.expire_all()
    paper = paper_of(link, chosen)
    settings = current_app.extensions["settings"]
    colleague = may(current_user, "sales.read")
    events = () if colleague or paper.newer else quotes.allowed(paper.state, who=quotes.CUSTOMER)
    return page(
        "public/show.html", fragment="public/_offer.html" if chosen is not None and not status >= 400 else None,
        status=status, paper=paper, link=link, token=link.token, key=public_links.form_key(link), typed=typed or {},
        errors=errors or {}, problem=problem, asked=asked, colleague=colleague, price=sales_papers.price,
        exact=sales_papers.exact, may_accept=paper.kind == "estimate" and "accept" in events and not paper.answer,
        may_decline=paper.kind == "estimate" and "decline" in events and not paper.answer,
        may_ask=paper.kind == "estimate" and "ask" in events,
        files=attachments.of_document(link.document_id, for_customer=True),
        has_logo=sales_settings.logo(paper.header, settings.instance_dir) is not None,
        today=company_day(clock.now(), zone(sales_documents.find(link.document_id).connection_id)),
    )  # fmt: skip
