"""Answers to queries: checks a parsed statement against what an entity lets be asked, and turns it into SQL.

Called by the API and by batch items. Raises 4001 for unknown entities and properties that cannot be filtered. Rows
leave as stored text, so that a page of a thousand costs next to nothing. Sources: FACTS 2.4, the query_ recordings.
"""

import re
from datetime import date
from decimal import Decimal, InvalidOperation

from sandbox import exact, faults
from sandbox.entities import BY_PATH, EMPTY, ENTITIES, TRANSACTIONS
from sandbox.query import Condition, Query, parse
from sandbox.store import Books
from sandbox.times import parse as parse_time
from sandbox.times import sortable

AMOUNTS = {"Balance", "TotalAmt", "UnitPrice", "PurchaseCost", "CurrentBalance"}
BOOLEANS = {"Active", "Taxable", "SubItem"}
DATES = {"TxnDate", "DueDate"}
COLUMNS = {"Id": "id", "Active": "active", "TxnDate": "txn_date", "DocNumber": "doc_number", "CustomerRef": "customer",
           "VendorRef": "customer", "MetaData.LastUpdatedTime": "updated"}  # fmt: skip


def answer(books: Books, statement: str) -> str:
    """The QueryResponse object as JSON text; without matches it is ``{}`` [recorded: query_transfer_empty]."""
    query = parse(statement)
    entity = BY_PATH.get(query.entity.lower())
    if entity is None:
        raise faults.invalid_query(f"invalid context declaration: {query.entity}")
    if entity in EMPTY:
        return '{"totalCount":0}' if query.count else "{}"
    where, parameters = _filter(books, entity, query)
    if query.count:
        total = books.connection.execute(f"SELECT COUNT(*) FROM record WHERE {where}", parameters).fetchone()[0]
        return f'{{"totalCount":{total}}}'
    found = books.connection.execute(
        f"SELECT rowid FROM record WHERE {where} ORDER BY {_order_by(entity, query)} LIMIT ? OFFSET ?",
        (*parameters, query.size, query.start - 1),
    ).fetchall()
    rows = _bodies(books, [row for (row,) in found])
    if not rows:
        return "{}"
    if "*" not in query.columns:
        rows = [_narrowed(entity, text, query.columns) for text in rows]
    return f'{{"{entity}":[{",".join(rows)}],"startPosition":{query.start},"maxResults":{len(rows)}}}'


def _bodies(books: Books, rowids: list[int]) -> list[str]:
    if not rowids:
        return []
    marks = ",".join("?" * len(rowids))
    found = dict(books.connection.execute(f"SELECT rowid, body FROM record WHERE rowid IN ({marks})", rowids))
    return [found[row] for row in rowids if row in found]  # one may have been deleted meanwhile


def _property(entity: str, asked: str) -> str:
    """The property's proper spelling. Raises 4001 for what cannot be filtered or sorted by."""
    for prop in ENTITIES[entity].queryable:
        if prop.lower() == asked.lower():
            return prop
    raise faults.invalid_query(f"property '{asked}' is not queryable")


def _filter(books: Books, entity: str, query: Query) -> tuple[str, list]:
    """SQL condition and its parameters; inactive names stay out unless Active is asked for [FACTS 7 #8]."""
    asked, clauses, parameters = set(), [], []
    for condition in query.where:
        prop = _property(entity, condition.property)
        asked.add(prop)
        if prop == "Active" and {value.lower() for value in condition.values} == {"true", "false"}:
            continue
        clause, values = _clause(entity, prop, condition)
        clauses.append(clause)
        parameters += values
    by_name = any(clause.startswith("namespace=") for clause in clauses)
    hint = "+" if by_name else ""  # a unary plus keeps SQLite on the index of names
    if ENTITIES[entity].has_active and "Active" not in asked:
        clauses.append(f"{hint}active=1")
    return " AND ".join(["realm=?", f"{hint}entity=?", *clauses]), [books.realm, entity, *parameters]


def _clause(entity: str, prop: str, condition: Condition) -> tuple[str, list]:
    operator = condition.operator
    if prop == "Id" and operator not in ("=", "IN"):
        raise faults.invalid_query(f"Operator {operator} is not supported for property Id")
    if operator == "LIKE":
        pattern = re.sub(r"([_\\])", r"\\\1", condition.values[0])
        return f"{_text(entity, prop)} LIKE ? ESCAPE '\\'", [pattern]
    if prop == ENTITIES[entity].name_field and operator in ("=", "IN") and entity not in ("Item", "Account"):
        names = [value.casefold() for value in condition.values]
        return f"namespace=? AND name_key IN ({','.join('?' * len(names))})", [ENTITIES[entity].namespace, *names]
    values = [_value(prop, value) for value in condition.values]
    expression = _expression(entity, prop)
    if operator == "IN":
        return f"{expression} IN ({','.join('?' * len(values))})", values
    return f"{expression} {operator} ?", values


def _text(entity: str, prop: str) -> str:
    if prop in ("PrimaryEmailAddr",):
        return "json_extract(body, '$.PrimaryEmailAddr.Address')"
    if prop.startswith("AttachableRef."):
        return f"json_extract(body, '$.AttachableRef[0].{prop.partition('.')[2]}')"
    if prop.endswith("Ref"):
        return f"json_extract(body, '$.{prop}.value')"
    return f"json_extract(body, '$.{prop}')"


def _expression(entity: str, prop: str) -> str:
    """The SQL side of a comparison; amounts as whole hundred-thousandths so that equality is exact."""
    if prop in COLUMNS:
        return COLUMNS[prop]
    if prop in AMOUNTS:
        return f"CAST(ROUND(json_extract(body, '$.{prop}') * 100000) AS INTEGER)"
    if prop == "MetaData.CreateTime":
        return "strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(body, '$.MetaData.CreateTime'))"
    if prop in BOOLEANS:
        return f"COALESCE(json_extract(body, '$.{prop}'), 0)"
    if prop in DATES:
        return f"json_extract(body, '$.{prop}')"
    return f"{_text(entity, prop)} COLLATE NOCASE"


def _value(prop: str, text: str) -> str | int:
    """The parameter a literal becomes. Raises 4001 when it does not fit the property."""
    try:
        if text.upper() == "CURRENT_DATE":
            text = date.today().isoformat()
        if prop in BOOLEANS:
            return {"true": 1, "false": 0}[text.lower()]
        if prop in AMOUNTS:
            return int((Decimal(text) * 100000).to_integral_value())
        if prop.startswith("MetaData."):
            return sortable(parse_time(text))
        if prop in ("Id", "CustomerRef", "VendorRef"):
            return int(text)
    except (KeyError, ValueError, InvalidOperation) as error:
        raise faults.invalid_query(f"value '{text}' is not valid for property {prop}") from error
    return text


def _order_by(entity: str, query: Query) -> str:
    """As asked; else names alphabetically and documents newest first, as recorded pages come."""
    if query.order:
        parts = []
        for asked, descending in query.order:
            prop = _property(entity, asked)
            parts.append(f"{_expression(entity, prop)}{' DESC' if descending else ''}")
        return ", ".join([*parts, "id"])
    filtered = any(condition.property.lower() != "active" for condition in query.where)
    plus = "+" if filtered else ""  # a unary plus lets the condition choose the index
    return f"{plus}txn_date DESC, id DESC" if entity in TRANSACTIONS else f"{plus}name_key, id"


def _narrowed(entity: str, text: str, columns: tuple[str, ...]) -> str:
    """Only the properties of a list like ``select Id, DisplayName``; such records are marked sparse [inferred]."""
    record = exact.loads(text)
    by_lower = {prop.lower(): prop for prop in ENTITIES[entity].properties}
    kept: dict = {"domain": "QBO", "sparse": True}
    for column in columns:
        head = column.partition(".")[0].lower()
        if head not in by_lower:
            raise faults.invalid_query(f"Property {column} not found for Entity {entity}")
        if by_lower[head] in record:
            kept[by_lower[head]] = record[by_lower[head]]
    return exact.dumps(kept)
