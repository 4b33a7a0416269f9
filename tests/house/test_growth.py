"""What grows without end is cleared by somebody, or says here why it is kept: no table is forgotten."""

from __future__ import annotations

import ast
from pathlib import Path

from crm.models import Job
from crm.tasks.schedule import SCHEDULE

ROOT = Path(__file__).resolve().parents[2]

#: As many rows as there are things, here or in the books: they come and go with them.
THINGS = """
api_keys attachments automation_holds bill_payments bills call_slots connections contact_consents contact_places
contact_points contact_tags contacts customer_values customers documents duplicates household_members identity_keys
items jobs links list_entries matches money_facts notes open_matches outbox_needs payment_applications
payment_expectations payments products public_links receipt_parts receipts rfm_scores sales_documents sales_lines
saved_views segment_members segments sweeps sync_settings tags users vendors
"""

#: Table -> the entry of the schedule that clears it, or the module that does it as it writes.
CLEARED = {
    "contact_changes": "segments-changed",
    "deliveries": "inbox-prune",
    "forecasts": "crm/services/forecasting/refreshing.py",
    "inbox_events": "inbox-prune",
    "insight_results": "crm/services/insight_results.py",
    "job_runs": "jobs-prune",
    "notices": "jobs-prune",
    "oauth_states": "jobs-prune",
    "segment_changes": "jobs-prune",
    "sign_in_attempts": "jobs-prune",
    "sync_log_entries": "sync-log-prune",
}

#: Table -> why it is kept however old.
KEPT = {
    "audit_entries": "who did what that touches trust is asked for years later",
    "call_counts": "three lines a day and company; what a year cost",
    "conflicts": "who decided which side counts, field by field",
    "contact_import_rows": "an import can be explained and undone row by row; a person discards it",
    "contact_imports": "see its rows",
    "contact_merges": "the journal by which two contacts are made of one again",
    "match_decisions": "what learning counts, and why two records are one",
    "match_runs": "a line a day",
    "match_settings": "versions, made when people or learning change something",
    "outbox_entries": "what was written to the books, when and for whom, with the key that keeps it from a second time",
    "plan_lines": "what stood there before, by which a plan is undone",
    "plans": "see its lines",
    "price_changes": "what something cost then",
    "proof_lines": "only what differed",
    "proofs": "a line a night: equal to the cent on that day",
    "sales_events": "what became of a quote or an invoice, shown on its page",
    "sales_settings": "versions, made when people change something",
    "sales_versions": "what the customer was shown and accepted",
    "segment_versions": "versions, made when people change something",
    "sync_runs": "a line a day and company: what came in",
    "timeline_entries": "the history of a contact, shown on its page",
}


def test_every_table_is_bound_cleared_or_kept_with_a_reason() -> None:
    named = [*THINGS.split(), *CLEARED, *KEPT]
    assert len(named) == len(set(named))
    assert set(named) == set(Job.metadata.tables), "say here what becomes of old rows of a new table"


def test_who_clears_a_table_exists() -> None:
    for table, who in CLEARED.items():
        if who.endswith(".py"):
            calls = [node for node in ast.walk(ast.parse((ROOT / who).read_text())) if isinstance(node, ast.Call)]
            assert any(isinstance(call.func, ast.Name) and call.func.id == "delete" for call in calls), table
        else:
            assert who in SCHEDULE, f"{table} waits for {who}"
