"""The kinds of record that go out, by name. Another one joins by a module beside `customer` and a line here."""

from crm.services.sync.outbox.kinds.customer import Customers
from crm.services.sync.outbox.kinds.item import Items
from crm.services.sync.outbox.kinds.port import Outgoing
from crm.services.sync.outbox.kinds.purchases import Bills, Vendors
from crm.services.sync.outbox.kinds.receipt import Receipts
from crm.services.sync.outbox.kinds.sales_document import SalesDocuments

OUTGOING: dict[str, Outgoing] = {
    "customer": Customers(),
    "item": Items(),
    "estimate": SalesDocuments("estimate", "Quote"),
    "invoice": SalesDocuments("invoice", "Invoice"),
    "payment": Receipts(),
    "vendor": Vendors(),
    "bill": Bills(),
}

__all__ = ["OUTGOING"]
