"""The folder of JSON files keeps the contract of every accounting adapter: the port is not QuickBooks in disguise."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm.providers.accounting.ledgerfile import provider
from tests.providers.contract import AccountingContract
from tests.providers.ledger_world import LedgerWorld


class TestLedgerfile(AccountingContract):
    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LedgerWorld:
        monkeypatch.setattr(provider, "PAGE_SIZE", LedgerWorld.page_size)
        return LedgerWorld(tmp_path, monkeypatch)
