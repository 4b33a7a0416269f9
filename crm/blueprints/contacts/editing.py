"""Forms of a contact: a new one, all of it, or a few fields in place; and what to show when two people changed it."""

from __future__ import annotations

from typing import Any

from flask import abort, current_app, flash, make_response, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.contacts import blueprint, forms
from crm.blueprints.contacts.pages import contact_of, page_of, view_of
from crm.db import transaction
from crm.domain.contacts import FIELDS, LABELS
from crm.domain.errors import Changed, Invalid
from crm.queries import contact_page, contacts
from crm.security import requires
from crm.services import contacts as service
from crm.web import go, is_fragment, page, trigger


@blueprint.get("/new")
@requires("contacts.write")
def new() -> Any:
    return render_template("contacts/new.html", form=forms.blank(), errors={}, **_form_choices())


@blueprint.post("")
@requires("contacts.write")
def create() -> Any:
    form = forms.typed(request.form)
    draft = forms.draft(form)
    lines = service.read_points(draft.entries, service.home_region())
    alike = contact_page.sharing_lines([line.normal for line in lines if line.normal])
    if alike and "anyway" not in request.form:
        values = {"form": form, "errors": {}, "alike": alike, **_form_choices()}
        return render_template("contacts/new.html", **values), 422
    try:
        with transaction():
            contact = service.create(draft, actor=actor(), now=clock.now())
    except Invalid as problem:
        values = {"form": form, "errors": problem.fields, "alike": alike, **_form_choices()}
        return render_template("contacts/new.html", **values), 422
    flash(f"{contact.display_name} is a contact now.", "success")
    return go("contacts.show", contact_id=contact.id)


@blueprint.get("/<int:contact_id>/edit")
@requires("contacts.write")
def edit(contact_id: int) -> Any:
    contact = contact_of(contact_id)
    form = forms.of_contact(contact)
    return _edit_page(contact, form, base=form)


@blueprint.post("/<int:contact_id>")
@requires("contacts.write")
def update(contact_id: int) -> Any:
    contact = contact_of(contact_id)
    base = forms.unpacked(request.form.get("base", ""))
    form = forms.chosen(forms.typed(request.form), forms.of_contact(contact), request.form)
    try:
        with transaction():
            service.update_whole(
                contact_id, forms.draft(form), version=forms.version(request.form), actor=actor(), now=clock.now()
            )
    except Invalid as problem:
        return _edit_page(contact, form, base=base, errors=problem.fields, status=422)
    except Changed:
        return _conflict(contact_id, form, base, url_for("contacts.update", contact_id=contact_id))
    flash("Saved.", "success")
    return go("contacts.show", contact_id=contact_id)


@blueprint.get("/<int:contact_id>/edit/<group>")
@requires("contacts.write")
def edit_group(contact_id: int, group: str) -> Any:
    if group not in forms.GROUPS:
        abort(404)
    return _editing(contact_id, group, forms.of_contact(contact_of(contact_id)))


@blueprint.post("/<int:contact_id>/edit/<group>")
@requires("contacts.write")
def update_group(contact_id: int, group: str) -> Any:
    if group not in forms.GROUPS:
        abort(404)
    whole = forms.of_contact(contact_of(contact_id))
    typed = forms.typed(request.form)
    form = forms.chosen({name: typed[name] for name in forms.GROUPS[group]}, whole, request.form)
    try:
        with transaction():
            service.change(
                contact_id, form, lines=forms.lines(form), tags=forms.tags(form), version=forms.version(request.form),
                actor=actor(), now=clock.now(),
            )  # fmt: skip
    except Invalid as problem:
        return _editing(contact_id, group, whole | form, errors=problem.fields, status=422)
    except Changed:
        base = forms.unpacked(request.form.get("base", ""))
        return _conflict(contact_id, form, base, url_for("contacts.update_group", contact_id=contact_id, group=group))
    if not is_fragment() or group == "name":
        return go("contacts.show", contact_id=contact_id)
    view = view_of(contact_id)
    changed = (render_template(f"contacts/{name}.html", view=view, swap=True) for name in ("_details", "_head"))
    return trigger(make_response("".join(changed)), "contact-changed")


def _form_choices() -> dict[str, Any]:
    return {"fields": FIELDS, "line_labels": LABELS, "owners": contacts.owners(), "all_tags": contacts.tags()}


def _edit_page(
    contact: Any, form: dict[str, Any], *, base: dict[str, Any], errors: dict[str, str] | None = None, status: int = 200
) -> Any:
    version = forms.version(request.form) or contact.version
    values = {"contact": contact, "form": form, "base": forms.packed(base), "version": version, "errors": errors or {}}
    return render_template("contacts/edit.html", **values, **_form_choices()), status


def _editing(
    contact_id: int, group: str, form: dict[str, Any], *, errors: dict[str, str] | None = None, status: int = 200
) -> Any:
    """The contact's page, or only its details for htmx, with this group of fields open for editing."""
    names = forms.GROUPS[group]
    view = view_of(contact_id)
    values = {
        "editing": group, "names": names, "form": form, "errors": errors or {},
        "base": request.form.get("base") or forms.packed({name: form[name] for name in names}),
        "version": forms.version(request.form) or view.contact.version, **_form_choices(),
    }  # fmt: skip
    if is_fragment():
        return render_template("contacts/_details.html", view=view, **values), status
    return page_of(contact_id, status=status, **values)


def _conflict(contact_id: int, form: dict[str, Any], base: dict[str, Any], action: str) -> Any:
    """409: both versions field by field. What was typed travels on in the form, so that nothing is lost."""
    contact = contact_of(contact_id)
    current = forms.of_contact(contact)
    entries = contact_page.timeline(contact_id, page=1, size=1).rows
    values = {
        "contact": contact, "form": form, "current": current, "base": forms.packed(current), "action": action,
        "conflicts": forms.conflicts(form, base, current), "labels": service.LABELS,
        "last": entries[0] if entries else None, **_form_choices(),
    }  # fmt: skip
    current_app.logger.info("contact %s was changed by two people at once", contact_id)
    return page("contacts/conflict.html", fragment="contacts/_conflict.html", status=409, **values)
