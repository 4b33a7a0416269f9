"""The decision whether two records are one customer, and making a set of decisions one-to-one."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.domain.evidence import POINTS
from crm.domain.identity import Identity, identity_keys, read_address, read_emails, read_phones
from crm.domain.matching import RULE_TEXTS, Decision, Outcome, decide, settle

LINE = "650-555-1234"
OTHER_LINE = "415-555-7788"
OAK = read_address("12 Oak St", city="Springfield", postal="12345")
OAK_AGAIN = read_address("12 Oak Street", city="Springfield", postal="12345-0001")
ELM = read_address("9 Elm Ave", city="Springfield", postal="12345")
FAR = read_address("9 Elm Ave", city="Portland", postal="97201")


def record(key, name, phone="", email="", address=None, **names):
    return Identity(key, name, phones=read_phones(phone), emails=read_emails(email), address=address, **names)


def decision(theirs, *ours, frequency=None, apart=()):
    return decide(theirs, ours, frequency=frequency or {}, apart=frozenset(apart))


def texts(found):
    return [e.text for e in found.evidence]


@pytest.mark.parametrize(("one", "other"), [
    ("Bob Smith", "Robert Smith"), ("Smith, John", "JOHN SMITH"), ("Bob & Amy Smith", "Amy Smith"),
    ("John Smiht", "John Smith"), ("José Núñez", "Jose Nunez"), ("Dr. Amy O'Brien", "Amy OBrien"),
    ("Smith John", "John Smith"), ("Acme Plumbing, LLC", "ACME PLUMBING INC"), 
    ("Smith Bros. Roofing", "Smith Brothers Roofing"),
    ("John Smith (deleted)", "John Smith"), ("王小明", "王小明"), ("Иван Петров", "Петров Иван"),
])  # fmt: skip
def test_spellings_of_one_name_on_one_phone_are_the_same(one, other):
    for theirs, ours in ((one, other), (other, one)):
        found = decision(record("t", theirs, LINE), record("o", ours, "(650) 555-1234"))
        assert (found.outcome, found.chosen) == (Outcome.SAME, "o"), found


@pytest.mark.parametrize(("one", "other"), [
    ("Bob Smith", "Tim Smith"),  # relatives
    ("John Smith Sr.", "John Smith Jr."), ("John Smith", "John Smith Jr."),  # father and son
    ("Joan Miller", "John Miller"), ("Daniel Weber", "Daniela Weber"), ("Ravi Rao", "Rani Rao"),  # one letter off
    ("J. Smith", "John Smith"), ("Smith Residence", "John Smith"), ("John A. Smith", "John B. Smith"),
    ("Carl Jones", "Mary Lee"), ("Acme Plumbing LLC", "Zenith Roofing LLC"), ("Acme Plumbing LLC", "Mary Lee"),
    ("Route 4 Diner", "Route 5 Diner"),
])  # fmt: skip
def test_a_shared_phone_alone_never_links_names_that_do_not_agree(one, other):
    for theirs, ours in ((one, other), (other, one)):
        found = decision(record("t", theirs, LINE), record("o", ours, LINE))
        assert (found.outcome, found.chosen) == (Outcome.DOUBTFUL, None), found


def test_the_office_line_of_forty_people_links_none_of_them():
    office = [record(str(i), f"{name} Jones", LINE) for i, name in enumerate(("Amy", "Bob", "Carl", "Dora"))]
    found = decision(record("t", "Mary Lee", LINE), *office, frequency={"p:+16505551234": 40})
    assert found.outcome is Outcome.APART
    assert "phone +1 650 555 1234 is the same, but 40 records share it: counted weakly" in texts(found)


def test_the_same_name_is_found_on_a_line_forty_people_share():
    office = [record(str(i), f"{name} Jones", LINE) for i, name in enumerate(("Amy", "Bob", "Carl", "Dora"))]
    found = decision(record("t", "Bob Jones", LINE), *office, frequency={"p:+16505551234": 40})
    assert (found.outcome, found.chosen, found.rule) == (Outcome.SAME, "1", "name_on_shared_line")


def test_a_shared_line_with_the_same_extension_counts_as_a_line_of_ones_own():
    found = decision(record("t", "Bob Jonnes", f"{LINE} x12"), record("o", "Bob Jones", f"{LINE} ext. 12"),
                     frequency={"p:+16505551234": 40})
    assert found.outcome is Outcome.SAME
    assert "phone +1 650 555 1234 extension 12 is the same" in texts(found)


def test_different_extensions_on_one_line_are_hardly_evidence():
    found = decision(record("t", "Carl Jones", f"{LINE} x12"), record("o", "Mary Lee", f"{LINE} x13"))
    assert found.outcome is Outcome.APART
    assert "phone +1 650 555 1234 is the same, extensions 12 and 13 differ" in texts(found)


def test_a_role_address_is_weak_as_soon_as_a_third_record_holds_it():
    theirs, ours = record("t", "J. Lee", "", "info@x.com"), record("o", "Jane Lee", "", "info@x.com")
    assert decision(theirs, ours, frequency={"e:info@x.com": 3}).evidence[0].reason == "email_shared"
    assert decision(theirs, ours, frequency={"e:info@x.com": 2}).evidence[0].reason == "email"


def test_a_couple_split_in_two_contacts_is_left_to_a_person():
    halves = record("1", "Bob Smith", LINE), record("2", "Amy Smith", LINE)
    found = decision(record("t", "Bob & Amy Smith", LINE), *halves)
    assert (found.outcome, found.rule, found.chosen) == (Outcome.DOUBTFUL, "two_fit", None)
    assert {c.key for c in found.candidates} == {"1", "2"}


def test_the_right_member_of_a_family_is_chosen_on_their_common_phone():
    family = [record("1", "Bob Smith", LINE), record("2", "Amy Smith", LINE), record("3", "Tim Smith", LINE)]
    found = decision(record("t", "Amy Smith", LINE), *family)
    assert (found.outcome, found.chosen) == (Outcome.SAME, "2")


def test_the_owner_and_the_business_on_one_phone_are_the_same_when_the_books_name_both():
    theirs = record("t", "Cool Cars", LINE, given_name="Grace", family_name="Pariente", company_name="Cool Cars")
    assert decision(theirs, record("o", "Grace Pariente", LINE)).outcome is Outcome.SAME
    assert decision(theirs, record("o", "Cool Cars", LINE)).outcome is Outcome.SAME
    assert decision(theirs, record("o", "Carl Jones", LINE, company_name="Cool Cars")).rule == "colleague"


def test_phone_and_email_together_make_up_for_an_initial_but_not_for_another_name():
    theirs = record("t", "J. Smith", LINE, "js@x.com")
    assert decision(theirs, record("o", "John Smith", LINE, "js@x.com")).outcome is Outcome.SAME
    assert decision(theirs, record("o", "Mary Lee", LINE, "js@x.com")).outcome is Outcome.DOUBTFUL


def test_the_same_name_at_the_same_address_is_the_same_unless_phone_and_email_both_differ():
    ours = record("o", "John Smith", OTHER_LINE, "j@y.com", OAK_AGAIN)
    assert decision(record("t", "John Smith", "", "", OAK), ours).outcome is Outcome.SAME
    assert decision(record("t", "John Smith", LINE, "j@x.com", OAK), ours).outcome is Outcome.DOUBTFUL


def test_one_name_in_two_towns_is_two_people():
    here, there = record("t", "John Smith", LINE, "j@x.com", FAR), record("o", "John Smith", OTHER_LINE, "j@y.com", OAK)
    found = decision(here, there)
    assert found.outcome is Outcome.APART


def test_a_name_alone_is_left_to_a_person_and_a_common_name_alone_is_nothing():
    theirs, ours = record("t", "Zoltan Abernathy"), record("o", "Zoltan Abernathy", LINE)
    assert decision(theirs, ours).rule == "name_only"
    often = dict.fromkeys(identity_keys(theirs), 9)
    assert decision(theirs, ours, frequency=often).outcome is Outcome.APART


def test_a_rare_name_is_worth_a_look_even_if_phone_and_email_differ():
    theirs = record("t", "Zoltan Abernathy", LINE, "zoltan@old.com")
    ours = record("o", "Zoltan Abernathy", OTHER_LINE, "abernathy@new.com")
    assert decision(theirs, ours).rule == "name_only"
    six = dict.fromkeys(identity_keys(theirs), 6)
    assert decision(theirs, ours, frequency=six).outcome is Outcome.APART
    assert decision(record("t", "Zoltan Abernathy"), ours, frequency=six).rule == "name_only"  # nothing contradicts


def test_a_name_with_a_slip_is_worth_a_look_only_if_hardly_anybody_has_it():
    theirs, ours = record("t", "Kyle Beretton"), record("o", "Kyle Berettton", LINE)
    slipped = record("o", "Kile Berettton", LINE)
    assert decision(theirs, ours).outcome is Outcome.DOUBTFUL
    assert decision(theirs, slipped).outcome is Outcome.DOUBTFUL
    six = dict.fromkeys(identity_keys(theirs), 6)
    assert decision(theirs, slipped, frequency=six).outcome is Outcome.APART


def test_a_name_common_by_one_half_of_a_couple_only_is_not_common():
    theirs, ours = record("t", "Bob & Lauren Brown"), record("o", "Robert & Lauren Brown", OTHER_LINE)
    frequency = dict.fromkeys(identity_keys(theirs), 2) | {"n:brwn rbrt": 9}
    assert "common" not in " ".join(texts(decision(theirs, ours, frequency=frequency)))


def test_a_relative_in_the_same_house_is_left_to_a_person_and_one_elsewhere_is_another():
    theirs = record("t", "Halan Malshaw", LINE, address=OAK)
    assert decision(theirs, record("o", "Andrew Malshaw", OTHER_LINE, address=OAK_AGAIN)).rule == "relative"
    assert decision(theirs, record("o", "Andrew Malshaw", OTHER_LINE, address=ELM)).outcome is Outcome.APART


def test_a_company_and_its_owner_at_one_address_are_left_to_a_person():
    theirs = record("t", "Farendberg Fitness", address=OAK, company_name="Farendberg Fitness")
    ours = record("o", "Thomas Farendberg", address=OAK_AGAIN, given_name="Thomas", family_name="Farendberg",
                  company_name="Farendberg Fitness")  # fmt: skip
    assert decision(theirs, ours).rule == "company_and_address"


def test_a_second_number_in_common_counts_for_the_right_one_of_two_namesakes_on_a_line():
    theirs = record("t", "Jeff Doremini", f"{LINE}, {OTHER_LINE}", address=OAK)
    father = record("father", "Jeff Doremini", f"{LINE}, {OTHER_LINE}")
    son = record("son", "Jeff Doremini", LINE, address=OAK_AGAIN)
    found = decision(theirs, father, son)
    assert (found.outcome, found.rule) == (Outcome.DOUBTFUL, "two_fit")
    assert "a second number is the same" in [e.text for c in found.candidates for e in c.evidence]


def test_the_namesake_with_a_suffix_is_a_rival_of_the_one_without():
    theirs = record("t", "Rebecca Weaver", LINE)
    found = decision(theirs, record("o", "Rebecca Weaver", LINE), record("j", "Rebecca Weaver II", LINE))
    assert (found.outcome, found.rule) == (Outcome.DOUBTFUL, "two_fit")


def test_a_unique_company_name_links_where_nothing_speaks_against_it():
    theirs = record("t", "Weiskopf Consulting LLC")
    assert decision(theirs, record("o", "Weiskopf Consulting", LINE)).outcome is Outcome.SAME
    assert decision(record("t", "Weiskopf Consulting", LINE), record("o", "Weiskopf Consulting", OTHER_LINE)
                    ).outcome is Outcome.DOUBTFUL


def test_a_slip_in_the_phone_of_the_same_name_is_forgiven_and_named():
    found = decision(record("t", "Zoltan Abernathy", "650-555-1234"), record("o", "Zoltan Abernathy", "650-555-1243"))
    assert found.outcome is Outcome.SAME
    assert "phone +1 650 555 1234 is one slip from +1 650 555 1243" in texts(found)


def test_a_digit_more_in_an_email_is_another_address():
    found = decision(record("t", "Amy Lee", "", "amy.lee1@x.com"), record("o", "Amy Lee", "", "amy.lee2@x.com"))
    assert "e-mail differs" in texts(found)


def test_a_phone_without_area_code_helps_the_name_but_does_not_link_strangers():
    assert decision(record("t", "Zoltan Abernathy", "555-1234"), record("o", "Zoltan Abernathy", LINE)
                    ).outcome is Outcome.SAME
    assert decision(record("t", "Carl Jones", "555-1234"), record("o", "Mary Lee", LINE)).outcome is Outcome.APART


def test_a_phone_without_area_code_is_seen_beside_another_number():
    theirs = record("t", "Alexander Abernathy", "555-1234, 415-555-9999")
    assert decision(theirs, record("o", "Alexander Abernathy", LINE)).outcome is Outcome.SAME


def test_the_reused_number_of_somebody_else_is_at_most_doubtful():
    before, now = record("t", "Carl Jones", LINE, "carl@x.com", OAK), record("o", "Mary Lee", LINE, "mary@y.com", FAR)
    found = decision(before, now)
    assert found.outcome is Outcome.APART


def test_units_of_one_house_are_not_one_address():
    one = read_address("12 Oak St Apt 1", city="Springfield", postal="12345")
    two = read_address("12 Oak St Apt 2", city="Springfield", postal="12345")
    found = decision(record("t", "John Smith", LINE, "", one), record("o", "John Smith", OTHER_LINE, "", two))
    assert found.outcome is not Outcome.SAME
    assert "same house, units 1 and 2" in texts(found)


def test_a_pair_kept_apart_by_a_person_is_never_offered_again():
    theirs, ours = record("t", "John Smith", LINE), record("o", "John Smith", LINE)
    found = decision(theirs, ours, apart=["o"])
    assert (found.outcome, found.rule, found.candidates) == (Outcome.APART, "nobody", ())


def test_no_candidate_means_apart():
    assert decision(record("t", "John Smith", LINE)).outcome is Outcome.APART


def test_at_most_five_candidates_are_kept_best_first():
    ours = [record(str(i), "Amy Smith", LINE) for i in range(8)] + [record("best", "John Smith", LINE)]
    found = decision(record("t", "John Smith", LINE), *ours)
    assert len(found.candidates) == 5
    assert found.candidates[0].key == found.chosen == "best"


def test_every_reason_and_rule_can_be_shown_in_words():
    found = decision(record("t", "John Smith", LINE, "j@x.com", OAK), record("o", "Jon Smyth", LINE, "k@y.com", ELM))
    assert found.rule in RULE_TEXTS
    assert found.score == sum(e.points for e in found.evidence)
    assert all(e.text and POINTS[e.reason] == e.points for e in found.evidence)


# -- settle: one-to-one


def test_two_customers_with_equal_claim_on_one_contact_are_both_left_to_a_person():
    ours = record("o", "John Smith", LINE)
    settled = settle({k: decision(record(k, "John Smith", LINE), ours) for k in ("t1", "t2")})
    assert [(d.outcome, d.rule, d.chosen) for d in settled.values()] == [(Outcome.DOUBTFUL, "contested", None)] * 2


def test_the_clearly_better_claim_keeps_the_contact():
    ours = record("o", "John Smith", LINE, "j@x.com")
    settled = settle({"t1": decision(record("t1", "John Smith", LINE), ours),
                      "t2": decision(record("t2", "John Smith", LINE, "j@x.com"), ours)})
    assert settled["t2"].chosen == "o"
    assert (settled["t1"].outcome, settled["t1"].rule) == (Outcome.DOUBTFUL, "contested")


def test_father_and_son_in_the_books_dispute_the_one_contact_without_suffix():
    ours = record("o", "John Smith", LINE)
    settled = settle({"father": decision(record("father", "John Smith", LINE), ours),
                      "son": decision(record("son", "John Smith Jr.", LINE), ours)})
    assert {d.outcome for d in settled.values()} == {Outcome.DOUBTFUL}


def test_a_relative_is_a_new_contact_once_everybody_else_on_the_line_is_found():
    amy, bob = record("1", "Amy Smith", LINE), record("2", "Bob Smith", LINE)
    decisions = {key: decision(record(key, name, LINE), amy, bob)
                 for key, name in (("a", "Amy Smith"), ("b", "Bob Smith"), ("c", "Tim Smith"))}
    assert decisions["c"].rule == "relative"
    settled = settle(decisions)
    assert (settled["a"].chosen, settled["b"].chosen) == ("1", "2")
    assert (settled["c"].outcome, settled["c"].rule) == (Outcome.APART, "taken")


NAMES = st.sampled_from(["John Smith", "John Smith Jr", "Jon Smith", "Amy Smith", "Bob & Amy Smith", "J. Smith",
                         "Smith", "Acme LLC", "Acme Plumbing", "Carl Jones", "", "Smith, John - Dayton"])  # fmt: skip
PHONES = st.sampled_from(["", LINE, OTHER_LINE, f"{LINE} x1", f"{LINE}/{OTHER_LINE}", "555-1234", "650-555-1235"])
EMAILS = st.sampled_from(["", "j@x.com", "k@x.com", "j@x.com, info@x.com", "info@x.com", "bad@"])
ADDRESSES = st.sampled_from([None, OAK, OAK_AGAIN, ELM, FAR])
BOOKS = st.lists(st.tuples(NAMES, PHONES, EMAILS, ADDRESSES), min_size=1, max_size=7)


def all_decisions(books, contacts):
    ours = [record(f"o{i}", *row) for i, row in enumerate(contacts)]
    return {f"t{i}": decision(record(f"t{i}", *row), *ours) for i, row in enumerate(books)}


@given(BOOKS, BOOKS, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_settling_does_not_depend_on_the_order_of_arrival(books, contacts, chance: random.Random):
    decisions = all_decisions(books, contacts)
    shuffled = list(decisions.items())
    chance.shuffle(shuffled)
    assert settle(decisions) == settle(dict(shuffled))


@given(BOOKS, BOOKS)
@settings(max_examples=150, deadline=None)
def test_after_settling_no_contact_is_linked_twice_and_settling_again_changes_nothing(books, contacts):
    settled = settle(all_decisions(books, contacts))
    chosen = [d.chosen for d in settled.values() if d.chosen]
    assert len(chosen) == len(set(chosen))
    assert settle(settled) == settled
    assert all((d.outcome is Outcome.SAME) == (d.chosen is not None) for d in settled.values())


@given(BOOKS, BOOKS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_decision_does_not_depend_on_the_order_of_the_candidates(books, contacts, chance: random.Random):
    theirs = record("t", *books[0])
    ours = [record(f"o{i}", *row) for i, row in enumerate(contacts)]
    first = decision(theirs, *ours)
    chance.shuffle(ours)
    assert decision(theirs, *ours) == first


@given(st.tuples(NAMES, PHONES, EMAILS, ADDRESSES), st.tuples(NAMES, PHONES, EMAILS, ADDRESSES))
@settings(max_examples=300, deadline=None)
def test_a_pair_is_judged_alike_from_both_sides(one, other):
    there = decision(record("k", *one), record("k", *other))
    back = decision(record("k", *other), record("k", *one))
    assert (there.outcome, there.rule, there.score) == (back.outcome, back.rule, back.score)


@given(st.lists(st.tuples(*[st.text(max_size=40)] * 6), min_size=2, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_text_in_any_field_can_be_decided_on(rows):
    people = [Identity(str(i), display, first, family, company, read_phones(phone), read_emails(email),
                       read_address(email, city=phone)) for i, (display, first, family, company, phone, email)
              in enumerate(rows)]
    assert isinstance(decision(people[0], *people[1:]), Decision)


def test_contradicting_names_are_always_shown_as_evidence():
    for one, other in (("Cool Cars", "Cool Kars"), ("Carl Jones", "Mary Lee"), ("Acme LLC", "Zenith LLC")):
        found = decision(record("t", one, LINE), record("o", other, LINE))
        assert {e.reason for e in found.evidence} & {"name_differs", "company_differs"}, (one, other)


def test_a_name_that_may_be_a_companys_is_not_said_to_have_a_family_name():
    found = decision(record("t", "Kettle Crossley", LINE), record("o", "Amy Crossley", LINE))
    assert "one word of the names agrees; one of them may be a company" in texts(found)
    assert not any("family name" in text for text in texts(found))
    found = decision(record("t", "Bob Crossley", LINE), record("o", "Amy Crossley", LINE))
    assert "family name agrees, the person may be another" in texts(found)
