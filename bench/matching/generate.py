"""Part: made-up books and the contact list that belongs to them, with the truth, of any size up to 1,000,000.

`size` counts records of the books; the list grows to about as many. Groups (a couple, a family behind one line, an
office) are drawn one after the other from the seed, so memory stays flat and the first thousand are the same in every
size. Who is who is written to files of its own. Sub-customers are left out: they are never matched by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from bench.child import answer
from bench.matching.errors import written
from bench.matching.people import Who, firm_name, given_name, line, person, place, plain
from bench.matching.records import Files, Side
from sandbox.seed import vocabulary as words

LARGEST = 1_000_000
SEED = 11
BOTH, BOOKS_ONLY = 0.68, 0.14
"""Shares of people on both sides, and in the books only; the rest are leads the books never saw."""
AGAIN = {"books": 0.02, "list": 0.04}
"""How many of a side's people it holds twice."""

Group = Iterator[tuple[Who, str]]
"""(who, where): where is "", "both", "books" or "list"; empty draws it."""


def alone(group: int, stream: Random) -> Group:
    yield person(f"{group}", group, stream), ""


def couple(group: int, stream: Random) -> Group:
    who = person(f"{group}", group, stream)
    other = given_name(stream)
    yield replace(who, spouse=other if other != who.given else "Robin"), ""


def father_and_son(group: int, stream: Random) -> Group:
    """One name, one house, one telephone; own mobiles and mail boxes."""
    father = replace(person(f"{group}f", group, stream), suffix=stream.choice(("Sr.", "", "Sr")))
    son = person(f"{group}s", group, stream, given=father.given, family=father.family, slot=2)
    yield father, ""
    yield replace(son, place=father.place, suffix=stream.choice(("Jr.", "Jr", "II"))), ""


def family(group: int, stream: Random) -> Group:
    """Two or three of one family name behind one line and one door."""
    first = person(f"{group}a", group, stream)
    yield first, ""
    names = {first.given}
    for slot, tail in ((2, "b"), (3, "c"))[: stream.randrange(1, 3)]:
        given = next(name for name in iter(lambda: given_name(stream), "") if name not in names)
        names.add(given)
        yield replace(person(f"{group}{tail}", group, stream, given=given, family=first.family, slot=slot),
                      place=first.place), ""  # fmt: skip


def namesakes(group: int, stream: Random) -> Group:
    """One name in two towns, nothing else in common."""
    one = person(f"{group}a", group, stream)
    other = person(f"{group}b", group, stream, given=one.given, family=one.family, slot=2)
    yield one, ""
    yield replace(other, phone="", place=place(group + 2_500, stream)), ""


def firm(group: int, stream: Random) -> Group:
    """A firm and the person who speaks for it."""
    yield at_work(person(f"{group}", group, stream), firm_name(stream), group, stream), ""


def at_work(who: Who, name: str, group: int, stream: Random) -> Who:
    extension = str(stream.randrange(10, 400)) if stream.random() < 0.2 else ""
    mail = f"{plain(who.given) or 'me'}@{plain(name)[:18]}{group}.example"
    return replace(who, company=name, extension=extension, email=mail)


def owner(group: int, stream: Random) -> Group:
    """A trade run by one person under a name of its own; books and list may know either."""
    who = person(f"{group}", group, stream)
    name = f"{who.family} {stream.choice(words.COMPANY_KINDS)}" if stream.random() < 0.6 else firm_name(stream)
    yield replace(who, company=name), ""


def nameless_firm(group: int, stream: Random) -> Group:
    """A firm of which neither side knows a person."""
    who = at_work(person(f"{group}", group, stream), firm_name(stream), group, stream)
    yield replace(who, given="", family="", mobile="", email=f"office@{who.email.partition('@')[2]}"), ""


def office(group: int, stream: Random) -> Group:
    """Colleagues who are customers of their own behind one switchboard; now and then forty of them."""
    name, spot = firm_name(stream), place(group, stream)
    number = 40 if stream.random() < 0.04 else stream.randrange(2, 9)
    for at in range(number):
        who = at_work(person(f"{group}-{at}", group, stream), name, group, stream)
        mail = f"{plain(who.given)}.{plain(who.family)}{at}@{who.email.partition('@')[2]}"
        yield replace(who, place=spot, mobile="", extension=str(100 + at) if at % 3 else "", email=mail,
                      colleagues=True), ""  # fmt: skip


def reused_number(group: int, stream: Random) -> Group:
    """A customer gave up a mobile; somebody else has it now and is on the list."""
    known = person(f"{group}", group, stream)
    yield known, "both"
    stranger = person(f"{group}x", group, stream, slot=3)
    yield replace(stranger, phone="", mobile=known.mobile, place=place(group + 1, stream)), "list"


def new_owner(group: int, stream: Random) -> Group:
    """The house was sold: another family at a customer's address, sometimes on its line."""
    known = person(f"{group}", group, stream)
    yield known, "both"
    stranger = person(f"{group}x", group, stream, slot=2)
    yield replace(stranger, place=known.place, phone=known.phone if stream.random() < 0.3 else line(group, 3)), "list"


def child_at_home(group: int, stream: Random) -> Group:
    """A customer's child asked for a quote: family name, line and house agree."""
    known = person(f"{group}", group, stream)
    yield known, "both"
    given = next(name for name in iter(lambda: given_name(stream), "") if name != known.given)
    child = person(f"{group}x", group, stream, given=given, family=known.family, slot=2)
    yield replace(child, place=known.place), "list"


OTHER_SCRIPTS = (
    ("Иван Ольга Андрей Мария Сергей Наталья Дмитрий Елена Павел Татьяна Юрий Светлана",
     "Петров Соколов Ковальчук Иванов Кузнецов Попов Волков Лебедев Козлов Новиков Морозов Шевченко Бондаренко"),
    ("Αλέξης Μαρία Γιώργος Ελένη Νίκος Κατερίνα", "Παπαδόπουλος Νικολάου Γεωργίου Δημητρίου Οικονόμου Βλάχος"),
    ("明 伟 芳 娜 强 磊 军 洋 艳 杰 涛 超", "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高"),
    ("花子 健 翔太 美咲 大輔 由美 直樹 恵子", "山田 田中 佐藤 鈴木 高橋 伊藤 渡辺 中村 小林 加藤"),
    ("محمد فاطمة أحمد علي مريم يوسف", "حسن إبراهيم خليل الخطيب منصور سعيد"),
    ("서연 민준 지우 도윤 하은 예준", "김 이 박 최 정 강 조 윤"),
)


def other_script(group: int, stream: Random) -> Group:
    given, family_ = (stream.choice(names.split()) for names in stream.choice(OTHER_SCRIPTS))
    who = person(f"{group}", group, stream, given=given, family=family_)
    yield replace(who, middle=""), ""


KINDS: dict[Callable[[int, Random], Group], float] = {
    alone: 46, couple: 17, firm: 9, owner: 4, nameless_firm: 3, father_and_son: 3, family: 4, namesakes: 3, office: 2,
    reused_number: 2, new_owner: 2, child_at_home: 3, other_script: 2,
}  # fmt: skip
BUILDERS, WEIGHTS = tuple(KINDS), tuple(KINDS.values())


def generate(directory: str, size: int, seed: int = SEED) -> dict[str, Any]:
    """Write the files. Raises ValueError for a size out of range."""
    if not 1 <= size <= LARGEST:
        raise ValueError(f"size is {size}: ask for 1 to {LARGEST:,} records")
    began = time.monotonic()
    files = Files(Path(directory))
    sides = {side: Side(files, side) for side in ("books", "list")}
    group = 0
    while sides["books"].number < size:
        stream = Random(f"{seed}/{group}")
        build = stream.choices(BUILDERS, WEIGHTS)[0]
        for who, where in build(group, stream):
            put(who, where or drawn(stream), group, build.__name__, sides, stream)
        group += 1
    for side in sides.values():
        side.close()
    return {"seconds": time.monotonic() - began, **{side: kept.number for side, kept in sides.items()}}


def drawn(stream: Random) -> str:
    roll = stream.random()
    return "both" if roll < BOTH else "books" if roll < BOTH + BOOKS_ONLY else "list"


def put(who: Who, where: str, group: int, kind: str, sides: dict[str, Side], stream: Random) -> None:
    for side, kept in sides.items():
        if where in ("both", side):
            for _ in range(2 if stream.random() < AGAIN[side] else 1):
                record, errors = written(who, group, side, stream)
                kept.add(record, who.key, f"{kind}: {errors}")


if __name__ == "__main__":
    answer(generate)
