"""A served sandbox for the tests of this folder, and a small client that speaks to it as any app would."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import Served, exact, serving

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "qbo" / "recorded"


@dataclass
class Api:
    """One connected company, as a client sees it."""

    served: Served
    realm: str
    session: requests.Session

    @property
    def base(self) -> str:
        return f"{self.served.url}/v3/company/{self.realm}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.base}/{path}", timeout=10, **options)

    def read(self, entity: str, id: str) -> dict:
        answer = self.call("GET", f"{entity.lower()}/{id}")
        assert answer.status_code == 200, answer.text
        return exact.loads(answer.text)[entity]

    def write(self, entity: str, body: dict, **params: str) -> dict:
        answer = self.call("POST", entity.lower(), params=params, data=exact.dumps(body))
        assert answer.status_code == 200, answer.text
        return exact.loads(answer.text)[entity]

    def fault(self, entity: str, body: dict, **params: str) -> dict:
        """The only Error of a refused write."""
        answer = self.call("POST", entity.lower(), params=params, data=exact.dumps(body))
        assert answer.status_code == 400, answer.text
        return answer.json()["Fault"]["Error"][0]

    def as_owner(self, entity: str, operation: str, body: dict) -> dict:
        """A write as a person makes it in QuickBooks itself."""
        asked = {"realm": self.realm, "entity": entity, "operation": operation, "body": body}
        answer = requests.post(f"{self.served.url}/_sandbox/perform", data=exact.dumps(asked), timeout=10,
                               headers={"Content-Type": "application/json"})  # fmt: skip
        assert answer.status_code == 200, answer.text
        return exact.loads(answer.text)

    def set_company(self, **asked: Any) -> dict:
        """Change the company by the sandbox's own control."""
        answer = requests.post(f"{self.served.url}/_sandbox/company", json={"realm": self.realm, **asked}, timeout=10)
        assert answer.status_code == 200, answer.text
        return exact.loads(answer.text)

    def query(self, statement: str) -> dict:
        answer = self.call("GET", "query", params={"query": statement})
        assert answer.status_code == 200, answer.text
        return exact.loads(answer.text)["QueryResponse"]

    def select(self, entity: str, where: str = "", *, columns: str = "*", tail: str = "") -> list[dict]:
        """The rows of a query put together from its parts."""
        parts = ["select", columns, "from", entity, *(["where", where] if where else []), tail]
        return self.query(" ".join(parts)).get(entity, [])

    def customer(self, name: str, **fields: Any) -> dict:
        return self.write("Customer", {"DisplayName": name, **fields})

    def item(self, name: str, *, taxable: bool = False) -> dict:
        account = self.query("select * from Account where AccountType = 'Income'")["Account"][0]
        body = {"Name": name, "Type": "Service", "Taxable": taxable, "IncomeAccountRef": {"value": account["Id"]}}
        return self.write("Item", body)

    def sale(self, entity: str, customer: dict, item: dict, amount: str, **fields: Any) -> dict:
        return self.write(entity, {"CustomerRef": {"value": customer["Id"]}, "Line": [line(item, amount)], **fields})

    def pay(self, customer: dict, amount: str, **applied: str) -> dict:
        """A payment; ``applied`` maps "i<invoice id>" or "c<credit memo id>" to an amount."""
        kinds = {"i": "Invoice", "c": "CreditMemo"}
        lines = [
            {"Amount": Decimal(part), "LinkedTxn": [{"TxnId": key[1:], "TxnType": kinds[key[0]]}]}
            for key, part in applied.items()
        ]
        body = {"CustomerRef": {"value": customer["Id"]}, "TotalAmt": Decimal(amount), "Line": lines}
        return self.write("Payment", body)


def line(item: dict, amount: str, **detail: Any) -> dict:
    return {
        "Amount": Decimal(amount),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": item["Id"]}, **detail},
    }


def connected(served: Served, realm: str | None = None) -> Api:
    session = requests.Session()
    tokens = served.connect(realm)
    session.headers.update({
        "Authorization": f"Bearer {tokens.access}",
        "Accept": "application/json",
        "Content-Type": "application/json",
    })
    return Api(served, tokens.realm, session)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def api(served: Served) -> Iterator[Api]:
    served.sandbox.script.clear()
    client = connected(served)
    yield client
    client.session.close()


@pytest.fixture
def recorded() -> Any:
    """Reads a recorded exchange by name; skips where the recordings are not at hand."""

    def read(name: str) -> dict:
        if not RECORDED.is_dir():
            pytest.skip("the recorded exchanges are not beside this checkout")
        return exact.loads((RECORDED / f"{name}.json").read_text())

    return read
