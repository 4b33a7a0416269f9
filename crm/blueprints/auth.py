"""Signing in and out, and one's own account."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user

from crm import clock
from crm.blueprints.acting import actor
from crm.db import transaction
from crm.domain.errors import Invalid, TooMany
from crm.extensions import login_manager
from crm.queries import people
from crm.security import public, requires, safe_next
from crm.services import accounts
from crm.services.audit import Actor
from crm.web import go

blueprint = Blueprint("auth", __name__)
login_manager.user_loader(people.signed_in)


@blueprint.get("/sign-in")
@public
def sign_in() -> Any:
    if current_user.is_authenticated:
        return redirect(safe_next(request.args.get("next")) or url_for("home.index"))
    return _form()


@blueprint.post("/sign-in")
@public
def enter() -> Any:
    email, ip, now = request.form.get("email", ""), request.remote_addr or "", clock.now()
    try:
        accounts.check_throttle(email, ip=ip, now=now)
    except TooMany as limit:
        answer = _form(str(limit), status=429)
        answer.headers["Retry-After"] = str(limit.retry_after)
        return answer
    with transaction():
        user = accounts.authenticate(
            email, request.form.get("password", ""), actor=Actor(name=email.strip()[:254] or "unknown", ip=ip), now=now
        )
    if user is None:
        return _form(accounts.WRONG, status=422)
    session.clear()  # a session made before signing in must not become one after it
    login_user(user, remember=bool(request.form.get("remember")))
    session.permanent = True
    if user.must_change_password:
        return redirect(url_for("auth.password"), 303)
    return redirect(safe_next(request.form.get("next")) or url_for("home.index"), 303)


def _form(problem: str = "", *, status: int = 200) -> Any:
    return make_response(
        render_template(
            "auth/sign_in.html", problem=problem, email=request.form.get("email", ""),
            next=request.values.get("next", ""), no_users=not people.has_users(),
        ),
        status,
    )  # fmt: skip


@blueprint.post("/sign-out")
@public
def sign_out() -> Any:
    if current_user.is_authenticated:
        with transaction():
            accounts.note_sign_out(actor=actor(), now=clock.now())
    logout_user()
    session.pop("_flashes", None)
    return redirect(url_for("auth.sign_in"), 303)


@blueprint.get("/account")
@requires("signed_in")
def password() -> Any:
    return render_template("auth/account.html", errors={})


@blueprint.post("/account/password")
@requires("signed_in")
def change_password() -> Any:
    form = request.form
    try:
        if form.get("new") != form.get("again"):
            raise Invalid({"again": "The two new passwords differ."})
        with transaction():
            user = accounts.change_password(
                current_user.id,
                current=form.get("current", ""),
                new=form.get("new", ""),
                actor=actor(),
                now=clock.now(),
            )
    except Invalid as problem:
        return render_template("auth/account.html", errors=problem.fields), 422
    session.clear()
    login_user(user)
    session.permanent = True
    flash("Your password is changed. Other devices have to sign in again.", "success")
    return go("home.index")


@blueprint.post("/account/sign-out-everywhere")
@requires("signed_in")
def sign_out_everywhere() -> Any:
    with transaction():
        accounts.sign_out_everywhere(current_user.id, actor=actor(), now=clock.now())
    logout_user()
    flash("Every device is signed out, remembered ones too.", "success")
    return redirect(url_for("auth.sign_in"), 303)
