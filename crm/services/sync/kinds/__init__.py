"""The kinds of record that go out, by name. Another one joins by a module beside `customer` and a line here."""

from crm.services.sync.kinds.customer import Customers
from crm.services.sync.kinds.port import Outgoing

OUTGOING: dict[str, Outgoing] = {
    "customer": Customers(),
}

__all__ = ["OUTGOING"]
