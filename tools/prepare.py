"""Make an installation ready in one process: migrations, and on the first start people and their contact list.

`python -m tools.prepare PEOPLE.json CONTACTS.csv`, with the installation's settings in the environment.
PEOPLE.json is {"password": ..., "people": [[e-mail, role, name], ...]}. Whoever exists already is left alone, and
contacts are brought in only where there are none. One process, because each start of the application costs a second.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from flask_migrate import upgrade

from crm import clock, create_app
from crm.db import transaction
from crm.queries import contacts, people
from crm.services import accounts, contact_imports
from crm.services.audit import SYSTEM
from tools.programs import ROOT


def prepare(whom: Path, list_of_contacts: Path) -> None:
    with create_app().app_context():
        upgrade(directory=str(ROOT / "migrations"))
        wanted = json.loads(whom.read_text())
        known = {user.email for user in people.each(people.users())}
        for email, role, name in wanted["people"]:
            if email not in known:
                with transaction():
                    accounts.create(
                        email, role=role, name=name, password=wanted["password"], actor=SYSTEM, now=clock.now()
                    )
        if not contacts.any_contacts():
            _bring_in(list_of_contacts)


def _bring_in(path: Path) -> None:
    with transaction():
        import_id = contact_imports.bring_in(
            path.name, path.read_bytes(), owner="", duplicates="update", actor=SYSTEM, now=clock.now()
        )
    contact_imports.run(import_id, clock=clock.now)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]))
