"""What may be chosen about matching, and what decisions of people may teach it: within bounds, and never by order."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain import match_learning as learning
from crm.domain import match_settings as rules
from crm.domain.errors import Invalid
from crm.domain.evidence import POINTS
from crm.domain.identity import Identity
from crm.domain.match_learning import Count
from crm.domain.matching import DOUBTFUL, MARGIN, SAME, USUAL, USUAL_OUTCOMES, Outcome, Settings, decide
from crm.domain.phones import read_phones


def who(key: str, name: str = "", *, phone: str = "", email: str = "") -> Identity:
    phones = tuple(read_phones(phone, "US")) if phone else ()
    return Identity(key=key, display_name=name, phones=phones, emails=(email,) if email else ())


def outcome(theirs: Identity, *ours: Identity, settings: Settings = USUAL) -> tuple[Outcome, str]:
    found = decide(theirs, ours, frequency={}, settings=settings)
    return found.outcome, found.rule


ANN = who("1", "Ann Porter", phone="650-555-1234")
BOOK = who("c", "Ann Porter", phone="(650) 555-1234")

# --- deciding -------------------------------------------------------------------------------------------------


def test_a_rule_that_links_may_ask_a_person_instead() -> None:
    assert outcome(BOOK, ANN) == (SAME, "name_and_contact")
    careful = Settings(outcomes={"name_and_contact": DOUBTFUL})
    assert outcome(BOOK, ANN, settings=careful) == (DOUBTFUL, "name_and_contact")


def test_a_link_with_fewer_points_than_asked_for_waits_and_says_why() -> None:
    score = decide(BOOK, [ANN], frequency={}).score
    assert outcome(BOOK, ANN, settings=Settings(least_score=score)) == (SAME, "name_and_contact")
    assert outcome(BOOK, ANN, settings=Settings(least_score=score + 1)) == (DOUBTFUL, "too_few_points")


def test_a_larger_lead_leaves_to_a_person_what_a_smaller_one_links() -> None:
    rival = who("2", "Ann Porter", email="ann@porter.example")
    book = who("c", "Ann Porter", phone="(650) 555-1234", email="ann@porter.example")
    lead = abs(decide(book, [ANN], frequency={}).score - decide(book, [rival], frequency={}).score)
    assert outcome(book, ANN, rival, settings=Settings(margin=lead)) == (SAME, "name_and_contact")
    assert outcome(book, ANN, rival, settings=Settings(margin=lead + 1)) == (DOUBTFUL, "two_fit")


def test_who_falls_below_the_least_points_stays_a_rival_of_who_does_not() -> None:
    rival = who("2", "Ann Porter", email="ann@porter.example")
    book = who("c", "Ann Porter", phone="(650) 555-1234", email="ann@porter.example")
    above = decide(book, [rival], frequency={}).score
    assert decide(book, [ANN], frequency={}).score < above
    assert outcome(book, ANN, rival) == outcome(book, ANN, rival, settings=Settings(least_score=above)) == (
        DOUBTFUL, "two_fit"
    )  # fmt: skip


NAMES = st.sampled_from(["Ann Porter", "Annie Porter", "Bob Porter", "Ann Porter Jr.", "Porter Co LLC", "Ann P", ""])
PHONES = st.sampled_from(["", "650-555-1234", "650-555-1235", "415-555-9000"])
EMAILS = st.sampled_from(["", "ann@porter.example", "info@porter.example", "anna@porter.example"])
PEOPLE = st.tuples(NAMES, PHONES, EMAILS)
STRICT = st.builds(
    lambda lowered, margin, least: Settings({name: DOUBTFUL for name in lowered}, margin, least),
    st.sets(st.sampled_from([name for name, found in USUAL_OUTCOMES.items() if found is SAME])),
    st.integers(MARGIN, 60), st.none() | st.integers(0, 165),
)  # fmt: skip


@given(PEOPLE, st.lists(PEOPLE, min_size=1, max_size=4), STRICT)
def test_stricter_settings_never_link_what_the_usual_ones_leave_to_a_person(theirs, ours, settings) -> None:
    book = who("c", theirs[0], phone=theirs[1], email=theirs[2])
    contacts = [who(str(n), one[0], phone=one[1], email=one[2]) for n, one in enumerate(ours)]
    usual = decide(book, contacts, frequency={})
    strict = decide(book, contacts, frequency={}, settings=settings)
    assert strict.chosen is None or strict.chosen == usual.chosen


def test_learned_points_change_the_evidence_they_are_shown_with() -> None:
    less = Settings(weights={"phone": -7})
    usual, learned = (decide(BOOK, [ANN], frequency={}, settings=one) for one in (USUAL, less))
    assert learned.score == usual.score - 7 == sum(one.points for one in learned.evidence)


# --- choosing -------------------------------------------------------------------------------------------------


def test_nothing_typed_is_as_usual_but_for_learning_which_has_a_box() -> None:
    assert rules.read({"learning": "1"}) == rules.USUAL_CHOICE
    assert not rules.read({}).learning


@pytest.mark.parametrize("rule", ["relative", "colleague", "generation", "other_name", "name_only", "part_of_name"])
def test_a_rule_whose_text_speaks_of_somebody_else_is_never_raised_to_link(rule: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.read({f"rule-{rule}": "same"})
    assert "only a person can tell" in refused.value.fields[f"rule-{rule}"]
    assert rules.of({rule: "same"}, None, None, learning=True).outcomes == {}


def test_a_rule_that_links_is_never_made_to_leave_people_apart() -> None:
    with pytest.raises(Invalid, match="Let it ask a person"):
        rules.read({"rule-name_and_contact": "apart"})


@pytest.mark.parametrize(("name", "text"), [("margin", "4"), ("margin", "many"), ("least_score", "-1"),
                                            ("least_score", "166"), ("margin", "9" * 400), ("margin", "²")])
def test_a_figure_out_of_its_bounds_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.read({name: text})
    assert list(refused.value.fields) == [name]


@given(st.dictionaries(st.sampled_from(rules.RULE_NAMES), st.sampled_from(list(Outcome))), st.integers(5, 60),
       st.none() | st.integers(1, 165), st.booleans())
def test_what_is_kept_says_the_same_when_it_is_read_again(wanted, margin, least, learning_on) -> None:
    outcomes = {name: one for name, one in wanted.items() if one in rules.choices(name) and one != USUAL_OUTCOMES[name]}
    chosen = rules.Chosen(outcomes, margin, least, learning_on)
    assert rules.of(**rules.kept(chosen)) == chosen
    assert rules.told(chosen, chosen) == []
    assert bool(rules.told(rules.USUAL_CHOICE, chosen)) == (chosen != rules.USUAL_CHOICE)


# --- learning -------------------------------------------------------------------------------------------------

REASONS = st.sampled_from(sorted(POINTS))
DECIDED = st.lists(st.tuples(st.sets(REASONS, min_size=1, max_size=6), st.booleans()), max_size=120)


def counted(decided: list[tuple[set[str], bool]]) -> tuple[dict[str, Count], Count]:
    counts: dict[str, Count] = {}
    for reasons, same in decided:
        for reason in reasons:
            had = counts.get(reason, Count())
            counts[reason] = Count(had.same + same, had.of + 1)
    return counts, Count(sum(same for _, same in decided), len(decided))


def test_a_reason_whose_pairs_were_seldom_the_same_counts_less_and_says_so() -> None:
    counts, total = {"phone_shared": Count(9, 30)}, Count(75, 100)
    assert learning.weights(counts, total) == {"phone_shared": -2}
    found = {one.reason: one for one in learning.explained(counts, total, learning.weights(counts, total))}
    assert found["phone_shared"].why == (
        "was 15, now 13, because 9 of 30 decided pairs with it were the same, on the whole 75 in 100"
    )
    assert found["email"].why == "no decided pair had it yet"


def test_nothing_is_learned_from_few_decisions() -> None:
    below, enough = learning.LEAST - 1, learning.LEAST
    assert learning.change("email", Count(0, below), Count(900, 1000)) == 0
    assert learning.change("email", Count(0, enough), Count(900, 1000)) < 0


def test_without_learning_no_weight_counts() -> None:
    assert rules.Chosen({}, learning=False).settings({"phone": -9}).weights == {}
    assert rules.Chosen({}).settings({"phone": -9}).points("phone") == POINTS["phone"] - 9


@given(DECIDED)
def test_what_is_learned_stays_within_its_bounds_and_never_changes_sides(decided) -> None:
    counts, total = counted(decided * 5)
    for reason, added in learning.weights(counts, total).items():
        assert abs(added) <= abs(POINTS[reason]) * Fraction(1, 4)
        assert (POINTS[reason] + added > 0) == (POINTS[reason] > 0)


@given(DECIDED, st.randoms(use_true_random=False))
def test_what_is_learned_does_not_depend_on_the_order_of_the_decisions(decided, random) -> None:
    shuffled = decided * 5
    random.shuffle(shuffled)
    assert learning.weights(*counted(shuffled)) == learning.weights(*counted(decided * 5))


@given(REASONS, st.integers(20, 400), st.integers(0, 400), st.integers(0, 400), st.integers(0, 400))
def test_one_more_pair_that_was_the_same_never_makes_a_reason_count_less(reason, of, same, others, others_same) -> None:
    same, others_same = same % of, min(others_same, others)
    fewer = learning.change(reason, Count(same, of), Count(same + others_same, of + others))
    more = learning.change(reason, Count(same + 1, of), Count(same + 1 + others_same, of + others))
    assert fewer <= more
