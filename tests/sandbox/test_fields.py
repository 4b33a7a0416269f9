"""The table of properties agrees with the public schema and with every recording."""

import json

import pytest

from sandbox import fields
from tests.sandbox.conftest import RECORDED

SCHEMA = RECORDED.parent / "schema" / "entities.json"
needs_recordings = pytest.mark.skipif(not SCHEMA.exists(), reason="the recordings are not beside this checkout")


@needs_recordings
@pytest.mark.parametrize("entity", sorted(fields.PROPERTIES))
def test_an_entity_has_the_properties_of_the_schema(entity):
    schema = json.loads(SCHEMA.read_text())
    assert fields.PROPERTIES[entity] == set(schema["entities"][entity]["fields"])


@needs_recordings
@pytest.mark.parametrize("shape", sorted(fields.MEMBERS))
def test_a_nested_object_has_the_members_of_the_schema(shape):
    found = json.loads(SCHEMA.read_text())["types"][shape]
    assert fields.MEMBERS[shape] == set(found.get("fields", found))


def strangers(value, shape, owner):
    if isinstance(value, list):
        return [name for part in value for name in strangers(part, shape, owner)]
    if not isinstance(value, dict):
        return []
    known = fields.MEMBERS.get(shape)
    found = [f"{owner}: {name} in {shape}" for name in value if known is not None and name not in known]
    return found + [name for key, part in value.items() for name in strangers(part, fields.shape_of(key), owner)]


def records(body):
    """(entity, record) wherever one of our entities stands in an answer."""
    if isinstance(body, list):
        return [pair for part in body for pair in records(part)]
    if not isinstance(body, dict):
        return []
    found = []
    for key, value in body.items():
        if key in fields.PROPERTIES and isinstance(value, list | dict):
            found += [(key, record) for record in (value if isinstance(value, list) else [value])]
        else:
            found += records(value)
    return found


@needs_recordings
def test_no_recorded_record_holds_a_property_we_would_refuse():
    seen, unknown = 0, []
    for path in RECORDED.glob("*.json"):
        exchange = json.loads(path.read_text())
        for part in exchange.get("exchanges", [exchange]):
            for entity, record in records((part.get("response") or {}).get("body")):
                seen += 1
                unknown += [f"{entity}: {name}" for name in record if name not in fields.PROPERTIES[entity]]
                unknown += [n for key, value in record.items() for n in strangers(value, fields.shape_of(key), entity)]
    assert seen > 100
    assert unknown == []
