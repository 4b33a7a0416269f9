"""Every route says who may call it."""

from __future__ import annotations

from flask import Flask


def test_every_route_is_public_or_requires_a_permission(app: Flask) -> None:
    unmarked = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not hasattr(app.view_functions[rule.endpoint], "access")
    ]
    assert not unmarked


def test_changes_are_never_made_by_get(app: Flask) -> None:
    both = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.methods and {"GET", "POST"} <= rule.methods and not rule.endpoint.startswith(("auth.",))
    ]
    assert not both
