"""How people write things down: telephone notations, mistyped names, crowded e-mail fields.

Pure functions of a clean value and a random stream; `people` uses them for the books, `contacts` for the firm's own
list, so that both sides hold the same facts in different handwriting. Nothing here invents a fact.
"""

from random import Random

from sandbox.seed.vocabulary import GIVEN_NAMES

PHONE_LIMIT = 30  # QBO TelephoneNumber.FreeFormNumber

NOTATIONS: tuple[str, ...] = (
    "({0}) {1}-{2}", "{0}-{1}-{2}", "{0}.{1}.{2}", "{0}{1}{2}", "+1 {0} {1} {2}", "1-{0}-{1}-{2}", "({0}){1}-{2}",
    "{0} {1} {2}", "{0}/{1}-{2}", "+1{0}{1}{2}", "1 ({0}) {1}-{2}", "+1 ({0}) {1}-{2}",
)  # fmt: skip
EXTENSIONS: tuple[str, ...] = (" x{}", " ext. {}", " ext {}", "x{}", " #{}", " Ext:{}")
LABELS: tuple[str, ...] = ("{} (cell)", "C: {}", "{} wife", "{} work", "call {}", "{}*")


def written_phone(digits: str, stream: Random, extension: str = "") -> str:
    """Ten digits in one of the notations found in real books; at most 30 characters. Seven digits: no area code."""
    if not digits:
        return ""
    parts = digits[:3], digits[3:6], digits[6:]
    roll = stream.random()
    if roll < 0.02 and not extension:
        return f"{parts[1]}-{parts[2]}"
    text = NOTATIONS[min(int(stream.random() ** 1.7 * len(NOTATIONS)), len(NOTATIONS) - 1)].format(*parts)
    if extension:
        return (text + stream.choice(EXTENSIONS).format(extension))[:PHONE_LIMIT]
    if roll > 0.96:
        return stream.choice(LABELS).format(text)[:PHONE_LIMIT]
    return text


def typo(word: str, stream: Random) -> str:
    """One slip of the fingers: two letters swapped, one lost, one doubled. Words under four letters stay."""
    if len(word) < 4:
        return word
    at = stream.randrange(1, len(word) - 2)
    slip = stream.randrange(3)
    if slip == 0 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if slip == 1:
        return word[:at] + word[at + 1 :]
    return word[:at] + word[at] + word[at:]


def short_form(given: str, stream: Random) -> str:
    """A nickname in use for this given name, or the name itself where there is none."""
    forms = GIVEN_NAMES.get(given, ())
    return stream.choice(forms) if forms else given


def name_order(given: str, family: str, stream: Random, middle: str = "") -> str:
    """A person's name as an office types it: order, initials, capitals and slips vary."""
    roll = stream.random()
    if roll < 0.62:
        return f"{given} {family}"
    if roll < 0.76:
        return f"{family}, {given}"
    if roll < 0.84:
        return f"{given} {middle}. {family}" if middle else f"{given} {family}"
    if roll < 0.88:
        return f"{given} {family}".upper()
    if roll < 0.91:
        return f"{given} {family}".lower()
    if roll < 0.96:
        return f"{given} {typo(family, stream)}"
    return f"{short_form(given, stream)} {family}"


def couple_name(one: str, other: str, family: str, stream: Random) -> str:
    """Two people in one name field."""
    shape = stream.choice(("{0} & {1} {2}", "{0} and {1} {2}", "{2}, {0} & {1}", "{1} & {0} {2}", "{0}/{1} {2}"))
    return shape.format(one, other, family)


def crowded_email(addresses: tuple[str, ...], stream: Random) -> str:
    """One or several addresses in one field, with the separators people use; one in fifty is spoilt."""
    known = [address for address in addresses if address]
    text = stream.choice((", ", "; ", ",", " , ")).join(known)
    roll = stream.random()
    if not known or roll > 0.06:
        return text
    if roll < 0.02:
        return text + "."
    return text.upper() if roll < 0.04 else text.title()


def written_street(number: int, street: str, kind: tuple[str, str], stream: Random) -> str:
    """House number and street with the kind spelled out, shortened, dotted or in capitals."""
    word = kind[0] if stream.random() < 0.4 else kind[1]
    line = f"{number} {street} {word}"
    roll = stream.random()
    if roll < 0.05:
        return line.upper()
    return line + "." if roll < 0.12 and word == kind[1] else line
