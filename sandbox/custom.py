"""The three classic custom fields of sales forms: defined in Preferences, filled by DefinitionId.

``fields`` gives what a document keeps. A value for a definition the company does not have is dropped without a word
[FACTS 7 #42]; a defined field without a value is shown empty [recorded: query_salesreceipt_page].
"""

from typing import Any

from sandbox import faults

LONGEST = 31


def definitions(preferences: dict) -> dict[str, str]:
    """DefinitionId -> name of the fields in use [recorded: read_preferences_2017]."""
    groups = preferences.get("SalesFormsPrefs", {}).get("CustomField", [])
    members = {one["Name"].rpartition(".")[2]: one for group in groups for one in group.get("CustomField", [])}
    found = {}
    for number in ("1", "2", "3"):
        name = members.get(f"SalesCustomName{number}", {}).get("StringValue")
        if name and members.get(f"UseSalesCustom{number}", {}).get("BooleanValue"):
            found[number] = name
    return found


def fields(given: Any, preferences: dict) -> list[dict]:
    """CustomField as kept: one entry per definition. Raises 2050 for a longer text than the form takes."""
    entries = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    values = {str(one.get("DefinitionId")): one.get("StringValue") for one in entries}
    kept = []
    for id, name in definitions(preferences).items():
        field = {"DefinitionId": id, "Name": name, "Type": "StringType"}
        if values.get(id) is not None:
            if len(str(values[id])) > LONGEST:
                raise faults.too_long("CustomField.StringValue", LONGEST)
            field["StringValue"] = str(values[id])
        kept.append(field)
    return kept
