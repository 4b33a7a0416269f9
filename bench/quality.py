"""Part: how right the links are, by the truth that the generator wrote beside the contact list.

A *link* is one made without a person between a contact of the list and a customer. It is right when the truth gives
that customer for the contact (or another entry of the same person). *Precision* is right links among links; *recall*
right links among the contacts whose customer was there to be linked; *offered* counts those a person finds the right
customer for in one click as well.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from bench.child import answer
from crm import create_app
from crm.db import db
from crm.models import Customer, Match

Truth = Mapping[int, frozenset[str]]


def truth_of(labels: str, most: int = 0) -> dict[int, frozenset[str]]:
    """Row of the list -> ids of customers that are the same; rows of strangers have none. `most` rows (0: all)."""
    with open(labels, encoding="utf-8", newline="") as file:
        return {
            int(row["row"]): frozenset([row["customer_id"], *filter(None, row["also"].split("|"))])
            if row["customer_id"]
            else frozenset()
            for row in csv.DictReader(file)
            if not most or int(row["row"]) <= most
        }


def rates(links: Iterable[tuple[int, str]], truth: Truth, offered: Iterable[tuple[int, str]] = ()) -> dict[str, Any]:
    """`links` are (row of the list, customer id)."""
    made = [(row, customer) for row, customer in links if row in truth]
    right = {row for row, customer in made if customer in truth[row]}
    known = {row for row, customers in truth.items() if customers}
    shown = right | {row for row, customer in offered if customer in truth.get(row, ())}
    return {
        "links": len(made), "right": len(right), "wrong": len(made) - len(right), "known": len(known),
        "precision": len(right) / len(made) if made else None,
        "recall": len(right) / len(known) if known else None,
        "offered": len(shown) / len(known) if known else None,
    }  # fmt: skip


def ours(labels: str) -> dict[str, Any]:
    truth = truth_of(labels)
    with create_app().app_context():
        query = select(Match.contact_id, Customer.remote_id).join(Customer, Customer.id == Match.customer_id)
        links = query.where(Match.state == "linked", Match.rule != "created")
        proposals = query.where(Match.state == "proposed", Customer.match_state == "review")
        states = db.session.scalars(select(Customer.match_state).where(Customer.parent_remote_id.is_(None))).all()
        found = rates(
            [(row, customer) for row, customer in db.session.execute(links)], truth,
            [(row, customer) for row, customer in db.session.execute(proposals)],
        )  # fmt: skip
    return {**found, "to_person": states.count("review") / len(states), "customers": len(states)}


if __name__ == "__main__":
    answer(ours)
