"""The query language: tokens, and a parser that makes a small tree of a statement.

``parse`` knows only grammar (4000) and page limits (4001); what an entity lets be asked is ``sandbox.lookup``.
Sources: FACTS 2.4 and the query_, paging_ and fault_400x recordings. It does not do what the real language does not
do: OR, NOT, JOIN, GROUP BY.
"""

import re
from dataclasses import dataclass, field

from sandbox import faults

DEFAULT_PAGE, LONGEST_PAGE = 100, 1000
TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w.]*)|"
    r"(?P<sign><=|>=|[=<>(),*]))",
    re.DOTALL,
)
OPERATORS = {"=", "<", ">", "<=", ">="}
RESERVED = {"SELECT", "FROM", "WHERE", "AND", "LIKE", "IN", "ORDERBY", "ORDER", "BY", "ASC", "DESC", "STARTPOSITION",
            "MAXRESULTS", "NULL"}  # fmt: skip


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    column: int

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind == "word" else self.text


@dataclass(frozen=True)
class Condition:
    """``property operator value``; IN holds several values, every other operator one."""

    property: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    entity: str
    columns: tuple[str, ...] = ("*",)
    count: bool = False
    where: tuple[Condition, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()  # (property, descending)
    start: int = 1
    size: int = DEFAULT_PAGE


def tokens(statement: str) -> list[Token]:
    """Split a statement. Raises 4000 at the first character that belongs to no token."""
    found, position = [], 0
    statement = statement.rstrip().rstrip(";").rstrip()
    while position < len(statement):
        match = TOKEN.match(statement, position)
        if match is None:
            column = position + len(statement[position:]) - len(statement[position:].lstrip()) + 1
            raise faults.query_syntax(
                f'Lexical error at line 1, column {column}.  Encountered: "{statement[column - 1]}"'
            )
        kind = match.lastgroup or ""
        found.append(Token(kind, match.group(kind), match.start(kind) + 1))
        position = match.end()
    return found


@dataclass
class _Parser:
    tokens: list[Token]
    position: int = field(default=0)

    def peek(self) -> Token:
        if self.position < len(self.tokens):
            return self.tokens[self.position]
        last = self.tokens[-1] if self.tokens else Token("end", "", 0)
        return Token("end", "<EOF>", last.column + len(last.text))

    def take(self) -> Token:
        token = self.peek()
        self.position += 1
        return token

    def refuse(self, expecting: str) -> faults.Fault:
        token = self.peek()
        shown = "<EOF>" if token.kind == "end" else f'" "{token.text}" "{token.text} ""'
        return faults.query_syntax(
            f"Encountered {shown} at line 1, column {token.column}.\nWas expecting:\n    {expecting} ...\n    "
        )

    def accept(self, *words: str) -> bool:
        if self.peek().upper in words and self.peek().kind in ("word", "sign"):
            self.position += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise self.refuse(f'"{word.lower()}"')

    def identifier(self) -> str:
        token = self.peek()
        if token.kind != "word" or token.upper in RESERVED:
            raise self.refuse("<IDENTIFIER>")
        return self.take().text

    def integer(self) -> int:
        token = self.peek()
        text = token.text.strip("'")
        if token.kind not in ("number", "string") or not text.lstrip("-").isdigit():
            raise self.refuse("<INTEGER>")
        self.position += 1
        return int(text)

    def value(self) -> str:
        token = self.peek()
        if token.kind == "string":
            return re.sub(r"\\(.)", r"\1", self.take().text[1:-1], flags=re.DOTALL)
        if token.kind == "number" or token.upper in ("TRUE", "FALSE", "CURRENT_DATE"):
            return self.take().text
        raise self.refuse("<LITERAL>")


def parse(statement: str) -> Query:
    """The tree of one statement. Raises 4000, or 4001 for a page outside its limits."""
    parser = _Parser(tokens(statement))
    parser.expect("SELECT")
    count, columns = _columns(parser)
    parser.expect("FROM")
    entity = parser.identifier()
    where, order, start, size = _where(parser), _order(parser), 1, DEFAULT_PAGE
    while parser.peek().upper in ("STARTPOSITION", "MAXRESULTS"):
        if parser.take().upper == "STARTPOSITION":
            start = parser.integer()
        else:
            size = parser.integer()
    if parser.peek().kind != "end":
        raise parser.refuse("<EOF>")
    for number in (start, size):
        if number < 1:
            raise faults.invalid_query(f"value {number} is too small. Min allowed value is 1")
    if size > LONGEST_PAGE:
        raise faults.invalid_query(f"value {size} is too large. Max allowed value is {LONGEST_PAGE}")
    return Query(entity, columns, count, where, order, start, size)


def _columns(parser: _Parser) -> tuple[bool, tuple[str, ...]]:
    if parser.peek().upper == "COUNT":
        parser.take()
        for sign in ("(", "*", ")"):
            parser.expect(sign)
        return True, ()
    columns = []
    while True:
        columns.append("*" if parser.accept("*") else parser.identifier())
        if not parser.accept(","):
            return False, tuple(columns)


def _where(parser: _Parser) -> tuple[Condition, ...]:
    if not parser.accept("WHERE"):
        return ()
    conditions = []
    while True:
        conditions.append(_condition(parser))
        if not parser.accept("AND"):
            return tuple(conditions)


def _condition(parser: _Parser) -> Condition:
    prop = parser.identifier()
    if parser.accept("LIKE"):
        return Condition(prop, "LIKE", (parser.value(),))
    if parser.accept("IN"):
        parser.expect("(")
        values = [parser.value()]
        while parser.accept(","):
            values.append(parser.value())
        parser.expect(")")
        return Condition(prop, "IN", tuple(values))
    if parser.peek().text not in OPERATORS:
        raise parser.refuse('"="')
    return Condition(prop, parser.take().text, (parser.value(),))


def _order(parser: _Parser) -> tuple[tuple[str, bool], ...]:
    if parser.accept("ORDER"):
        parser.expect("BY")
    elif not parser.accept("ORDERBY"):
        return ()
    order = []
    while True:
        prop = parser.identifier()
        order.append((prop, parser.accept("DESC") or (parser.accept("ASC") and False)))
        if not parser.accept(","):
            return tuple(order)
