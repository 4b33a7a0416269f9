"""What the customer does: counts options, accepts, declines, asks. Each form comes back with what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, request, url_for

from crm import clock
from crm.blueprints.public import address, admit, blueprint, checked_form, link_of
from crm.blueprints.public.pages import drawn, paper_of
from crm.db import transaction
from crm.domain.errors import Invalid, Refused
from crm.security import public
from crm.services import public_answers


@blueprint.post("/<token>/total")
@public
def total(token: str) -> Any:
    """What it comes to with these options; nothing is kept."""
    link = link_of(token)
    checked_form(link)
    return drawn(link, chosen=_chosen(), typed=request.form)


@blueprint.post("/<token>/accept")
@public
def accept(token: str) -> Any:
    version, name = request.form.get("version", ""), request.form.get("name", "")

    def deed(link: Any) -> None:
        public_answers.accept(link, version=version, by=name, chosen=_chosen(), ip=address(), now=clock.now())

    return _answered(token, deed)


@blueprint.post("/<token>/decline")
@public
def decline(token: str) -> Any:
    version, why = request.form.get("version", ""), request.form.get("why", "")

    def deed(link: Any) -> None:
        public_answers.decline(link, version=version, why=why, ip=address(), now=clock.now())

    return _answered(token, deed)


@blueprint.post("/<token>/ask")
@public
def ask(token: str) -> Any:
    question, name = request.form.get("question", ""), request.form.get("who", "")

    def deed(link: Any) -> None:
        public_answers.ask(link, text=question, by=name, ip=address(), now=clock.now())

    return _answered(token, deed, asked=True)


def _answered(token: str, deed: Callable[[Any], None], *, asked: bool = False) -> Any:
    """Do it, then show the page anew; what is refused is said on the page, with what was typed."""
    link = link_of(token)
    checked_form(link)
    paper_of(link)
    admit("answer", link)
    try:
        with transaction():
            deed(link)
    except Invalid as problem:
        return drawn(link, status=422, chosen=_chosen(), typed=request.form, errors=problem.fields)
    except Refused as problem:
        return drawn(link, status=409, typed=request.form, problem=str(problem))
    return redirect(url_for("public.show", token=token, asked=1 if asked else None), code=303)


def _chosen() -> set[int]:
    """Ids of the optional lines that are ticked."""
    return {int(text) for text in request.form.getlist("option") if text.isascii() and text.isdigit()}
