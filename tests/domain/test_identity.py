"""Reading phones, e-mails, addresses and names as people type them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.domain.identity import (
    AddressKey,
    Identity,
    bad_emails,
    fold,
    identity_keys,
    read_address,
    read_emails,
    read_phones,
    shown_phone,
    without_deleted,
)
from crm.domain.names import Person, read_names

any_text = st.text(max_size=120)
phone_pieces = [*"-./() x", "650", "555", "0142", "+1", "+49", "30", "123456", "0", "ext 7", "Amy"]
phone_like = st.lists(st.sampled_from(phone_pieces), max_size=8).map("".join)
email_pieces = ["a", "B", "Ä", "ß", "@", ".", "info", "@Mail.example", ",", ";", " ", "<", ">", "(", ")"]
email_like = st.lists(st.sampled_from(email_pieces), max_size=12).map("".join)


def numbers(text, region="US"):
    return [(p.e164, p.extension) for p in read_phones(text, region)]


@pytest.mark.parametrize("text", [
    "6505551234", "650-555-1234", "650.555.1234", "(650) 555-1234", "(650)555-1234", "650 555 1234", "650/555-1234",
    "+1 650 555 1234", "1-650-555-1234", "1 (650) 555-1234", "+16505551234", " 650-555-1234 ", "650-555-1234 (cell)",
    "C: 650-555-1234", "650-555-1234 wife", "call 650-555-1234", "650-555-1234*", "011 1 650 555 1234",
    "650/555-1234 (cell)", "wife 650.555.1234 after 5",
])  # fmt: skip
def test_one_number_in_any_notation_is_one_number(text):
    assert numbers(text) == [("+16505551234", None)]


@pytest.mark.parametrize("tail", [" x12", " ext. 12", " ext 12", "x12", " #12", " Ext:12", ", ext 12", " extension 12"])
def test_an_extension_is_split_off_however_it_is_written(tail):
    assert numbers("(650) 555-1234" + tail) == [("+16505551234", "12")]


@pytest.mark.parametrize("text", [
    "650-555-1234/650-555-9999", "650-555-1234, 650-555-9999", "650-555-1234; 650-555-9999",
    "650 555 1234 or 650 555 9999", "Amy 650-555-1234\nBob 650-555-9999", "home 650.555.1234 cell 650.555.9999",
])  # fmt: skip
def test_two_numbers_in_one_field_are_both_read(text):
    assert numbers(text) == [("+16505551234", None), ("+16505559999", None)]


def test_the_extension_belongs_to_the_number_before_it():
    assert numbers("650-555-1234 x3, 650-555-9999 x4") == [("+16505551234", "3"), ("+16505559999", "4")]


def test_numbers_of_other_countries_are_read_by_their_own_rules():
    assert numbers("+44 20 7946 0958") == [("+442079460958", None)]
    assert numbers("089/123456", "DE") == [("+4989123456", None)]
    assert numbers("020 7946 0958 or 07700 900123", "GB") == [("+442079460958", None), ("+447700900123", None)]


def test_words_on_a_telephone_key_pad_are_a_number():
    assert numbers("1-800-FLOWERS") == [("+18003569377", None)]


@pytest.mark.parametrize("text", ["555-1234", "none", "ask Amy", "12", "call after 5"])
def test_what_cannot_be_read_is_kept_as_typed(text):
    (phone,) = read_phones(text, "US")
    assert (phone.raw, phone.e164) == (text, None)


@pytest.mark.parametrize("text", ["(555) 555-5555", "000-000-0000", "999 999 9999", "123-456-7890"])
def test_numbers_typed_to_fill_the_field_do_not_identify_anyone(text):
    assert numbers(text) == [(None, None)]


def test_an_empty_field_holds_no_phone():
    assert read_phones("", "US") == read_phones("   ", "US") == read_phones(None, "US") == ()


def test_an_unknown_country_leaves_local_numbers_unread_and_full_ones_readable():
    assert numbers("030 123456", "XX") == [(None, None)]
    assert numbers("+49 30 123456", "XX") == [("+4930123456", None)]


@given(any_text | phone_like, st.sampled_from(["US", "GB", "DE", "XX", "", "us"]))
@settings(max_examples=200, deadline=None)
def test_any_text_can_stand_in_a_phone_field(text, region):
    for phone in read_phones(text, region):
        assert phone.e164 is None or phone.e164[1:].isdigit()


@given(st.integers(2_000_000_000, 9_999_999_999))
@settings(max_examples=100, deadline=None)
def test_reading_a_number_twice_changes_nothing(number):
    for phone in read_phones(str(number), "US"):
        if phone.e164:
            assert numbers(shown_phone(phone.e164)) == numbers(phone.e164) == [(phone.e164, None)]


def test_every_valid_address_in_an_email_field_is_read_in_lower_case():
    text = "Amy <Amy.Smith@X.com>; bob@y.org, mailto:c@z.net d@w.co.uk."
    assert read_emails(text) == ("amy.smith@x.com", "bob@y.org", "c@z.net", "d@w.co.uk")


def test_an_address_named_twice_counts_once():
    assert read_emails("a@x.com, A@X.COM") == ("a@x.com",)


@pytest.mark.parametrize("text", ["amy.x.com", "amy@", "@x.com", "a..b@x.com", "amy@localhost", "none", "amy@x..com"])
def test_what_is_no_email_is_left_out_and_can_be_shown(text):
    assert read_emails(text) == ()
    assert bad_emails(text) == (text,)


def test_only_the_bad_part_of_an_email_field_is_shown():
    assert bad_emails("amy@x.com, bob@@y") == ("bob@@y",)
    assert bad_emails("Amy <amy@x.com>") == bad_emails("") == bad_emails(None) == ()


def test_an_address_with_letters_beyond_ascii_is_an_email():
    assert read_emails("info@münchen.de") == ("info@münchen.de",)


@given(any_text | email_like)
@settings(max_examples=200, deadline=None)
def test_any_text_can_stand_in_an_email_field(text):
    assert all("@" in email and email == email.lower() for email in read_emails(text))
    bad_emails(text)


@pytest.mark.parametrize(("lines", "unit"), [
    (("12 Oak Street",), ""), (("12 OAK ST.",), ""), (("12 Oak St Apt 4",), "4"), (("12 Oak Street", "#4"), "4"),
    (("Smith Residence", "12 Oak St, Unit 4"), "4"), (("c/o Amy", "12 oak st suite 4"), "4"),
])  # fmt: skip
def test_one_address_in_many_hands_is_one_address(lines, unit):
    assert read_address(*lines, city="Springfield", postal="12345-6789") == AddressKey(
        "12", "oak", unit, "12345", "springfield"
    )


def test_a_house_number_may_stand_behind_the_street_and_a_box_instead_of_one():
    found = read_address("Hauptstr. 12", city="Köln", postal="50667")
    assert found == AddressKey("12", "hauptstr", "", "50667", "koln")
    assert read_address("P.O. Box 77", city="Springfield").street == read_address("PO Box 77").street == "po box"


def test_no_address_is_none():
    assert read_address("", None, city="", postal=None) is None


@given(st.lists(any_text, max_size=5), any_text, any_text)
@settings(max_examples=150, deadline=None)
def test_any_text_can_stand_in_an_address(lines, city, postal):
    found = read_address(*lines, city=city, postal=postal)
    assert found is None or any(found), "an address says something, or it is none"
    assert all(part == part.strip() for part in found or ())
    assert not found or not found.postal or found.postal.isalnum()


def people(text):
    return [(p.given, p.family) for p in read_names(text).people]


@pytest.mark.parametrize("text", [
    "Bob & Amy Smith", "Bob and Amy Smith", "Smith, Bob & Amy", "Bob Smith & Amy Smith", "Bob/Amy Smith",
    "Mr. Bob & Mrs. Amy Smith", "BOB & AMY SMITH", "Bob & Amy Smith (deleted)", "Bob + Amy Smith (rental)",
])  # fmt: skip
def test_a_couple_in_one_name_is_two_people(text):
    assert people(text) == [("bob", "smith"), ("amy", "smith")]


@pytest.mark.parametrize("text", [
    "John Smith", "Smith, John", "JOHN SMITH", "Dr. John Smith, MD", "John Smith (deleted)", "John  Smith ",
    "John Smith (rental)", "John Smith - crawl space", "John Smith - DO NOT CALL", "John Smith / warranty",
])  # fmt: skip
def test_one_person_however_the_office_typed_it(text):
    assert people(text) == [("john", "smith")]


def test_junior_and_senior_are_kept_apart_from_the_name():
    assert read_names("John Smith, Jr.").people == (Person("john", "smith", (), "jr"),)
    assert read_names("John Smith III").people == (Person("john", "smith", (), "3"),)
    assert read_names("", "John", "Smith Sr.").people == (Person("john", "smith", (), "sr"),)


def test_particles_belong_to_the_family_name_and_accents_do_not_matter():
    assert people("Jan van der Berg") == [("jan", "van der berg")]
    assert people("José Núñez") == people("Jose Nunez") == [("jose", "nunez")]
    assert fold("Müller-O’Brien Straße") == "muller obrien strasse"


@pytest.mark.parametrize(("text", "core"), [
    ("Acme Plumbing, LLC", ("acme", "plumbing")), ("The Acme Plumbing Co.", ("acme", "plumbing")),
    ("ACME PLBG INC", ("acme", "plumbing")), ("A.B.C. Heating & Cooling", ("abc", "heating", "cooling")),
    ("Johnson & Johnson", ("johnson", "johnson")), ("Smith Bros Roofing", ("smith", "brother", "roofing")),
    ("123 Main Street HOA", ("123", "main", "street", "hoa")), ("Amy's Bird Sanctuary", ("amys", "bird", "sanctuary")),
])  # fmt: skip
def test_a_company_is_known_by_its_telling_words(text, core):
    names = read_names(text)
    assert not names.people
    assert names.companies[0] == tuple(word.removesuffix("s") if word == "amys" else word for word in core)


def test_person_and_business_in_one_name_are_both_read():
    names = read_names("John Smith dba Smith Plumbing")
    assert [(p.given, p.family) for p in names.people] == [("john", "smith")]
    assert names.companies == (("smith", "plumbing"),)


def test_the_second_half_of_a_couple_is_found_beside_filled_name_fields():
    names = read_names("Bob & Amy Smith", "Bob", "Smith")
    assert [p.given for p in names.people] == ["bob", "amy"]


def test_the_deletion_mark_of_inactive_customers_is_taken_off():
    assert without_deleted("Acme (deleted)") == "Acme"
    assert without_deleted("Acme (deleted) West") == "Acme (deleted) West"


@given(any_text, any_text, any_text, any_text)
@settings(max_examples=300, deadline=None)
def test_any_text_can_stand_in_a_name(display, first, family, company):
    identity = Identity("1", display, first, family, company)
    keys = identity_keys(identity)
    assert len(keys) <= 40
    assert all(0 < len(key) <= 80 for key in keys)


def full_identity(**changes):
    fields = {
        "key": "1",
        "display_name": "Bob Smith",
        "phones": read_phones("650-555-1234 x12"),
        "emails": read_emails("bob@x.com"),
        "company_name": "Acme Plumbing LLC",
        "address": read_address("12 Oak St Apt 4", city="Springfield", postal="12345"),
    } | changes
    return Identity(**fields)


def test_keys_name_every_way_a_record_can_be_found():
    assert identity_keys(full_identity()) >= {"p:+16505551234", "p:+16505551234x12", "e:bob@x.com", "a:12|ok|12345|4"}


@pytest.mark.parametrize(("one", "other"), [
    ("Bob Smith", "Smith, Robert"), ("Catherine Petersen", "Cathy Peterson"), ("Bob & Amy Smith", "Amy Smith"),
    ("Acme Plumbing LLC", "Acme Plumbing & Heating, Inc."), ("José Núñez", "Jose Nunez"),
    ("Smith Residence", "Mr Smith"), ("Douglas Hernández-Ruiz", "Hernandez-Ruiz, Doug"),
])  # fmt: skip
def test_spellings_of_one_name_share_a_key(one, other):
    assert identity_keys(Identity("1", one)) & identity_keys(Identity("2", other))


def test_strangers_share_no_key():
    stranger = Identity("2", "Carl Jones", phones=read_phones("6505550000"))
    assert not identity_keys(full_identity()) & identity_keys(stranger)


@pytest.mark.parametrize("other", [
    read_address("12 Oak Street", city="Springfield"), read_address("12 Oak St", postal="12345"),
    read_address("12 Oak St", city="Sprngfield", postal="12345"),
])  # fmt: skip
def test_an_address_without_postal_code_or_town_meets_one_that_has_both(other):
    whole = Identity("1", "", address=read_address("12 Oak St", city="Springfield", postal="12345"))
    assert identity_keys(whole) & identity_keys(Identity("2", "", address=other))
    elsewhere = read_address("12 Oak St", city="Portland", postal="97201")
    assert not identity_keys(whole) & identity_keys(Identity("2", "", address=elsewhere))
