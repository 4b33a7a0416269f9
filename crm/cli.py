"""Commands of `flask --app wsgi`. Each parses, makes one call inside `transaction()`, and prints a sentence."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy.exc import OperationalError, ProgrammingError

from crm import clock
from crm.db import transaction
from crm.domain.errors import TradebookError
from crm.encryption import new_key
from crm.queries import sync as sync_queries
from crm.security import ROLES
from crm.services import audit
from crm.services.audit import Actor

keys = AppGroup("keys", help="Keys that encrypt what is stored about connections.")
users = AppGroup("users", help="People who sign in.")
contact_group = AppGroup("contacts", help="Contacts from and to files.")
api_key_group = AppGroup("api-keys", help="Keys that programs use.")
sync_group = AppGroup("sync", help="Imports from QuickBooks.")

COMMAND = Actor(name=f"command line ({getpass.getuser()})", source="system")


def plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Show a refusal as one sentence and exit with 1 instead of a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except TradebookError as problem:
            raise click.ClickException(str(problem)) from None
        except (OperationalError, ProgrammingError) as problem:
            if any(words in str(problem.orig) for words in ("no such table", "does not exist")):
                advice = "The database has no tables yet, or old ones. Run: flask --app wsgi db upgrade"
                raise click.ClickException(advice) from None
            raise

    return run


@keys.command("generate")
def generate_key() -> None:
    """Print a new key for TOKEN_ENCRYPTION_KEYS."""
    click.echo(new_key())


@keys.command("rotate")
@plainly
def rotate() -> None:
    """Write every stored secret again under the first of TOKEN_ENCRYPTION_KEYS; the application may keep running."""
    from crm.services.keys import rotate_keys

    columns = rotate_keys()
    for column in columns:
        click.echo(f"{column.place}: {column.written} re-encrypted, {column.current} already current")
    unreadable = sum(column.unreadable for column in columns)
    with transaction():
        audit.record(
            "keys_rotated", actor=COMMAND, now=clock.now(),
            summary=f"{sum(column.written for column in columns)} re-encrypted, {unreadable} unreadable",
        )  # fmt: skip
    if unreadable:
        raise click.ClickException(
            f"{unreadable} stored secrets could not be read with any key and were left alone. Put the missing key back "
            "into TOKEN_ENCRYPTION_KEYS (after the first) and run this again; do not drop old keys before."
        )


@users.command("create")
@click.argument("email")
@click.option("--role", type=click.Choice(list(ROLES)), required=True)
@click.option("--name", default="", help="The name others see.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@plainly
def create_user(email: str, role: str, name: str, password_stdin: bool) -> None:
    """Make an account for EMAIL."""
    from crm.services import accounts

    password = sys.stdin.readline().rstrip("\n") if password_stdin else click.prompt(
        "Password", hide_input=True, confirmation_prompt=True
    )  # fmt: skip
    with transaction():
        user = accounts.create(email, role=role, password=password, name=name, actor=COMMAND, now=clock.now())
    click.echo(f"{user.email} can sign in now ({ROLES[role]}).")


@users.command("list")
def list_users() -> None:
    """Print every account with its role and state."""
    from crm.queries import people

    for user in people.each(people.users()):
        click.echo(f"{user.email}\t{user.role}\t{'disabled' if user.disabled_at else 'active'}")


@api_key_group.command("create")
@click.argument("name")
@click.option("--scope", type=click.Choice(["read", "write"]), required=True)
@plainly
def create_api_key(name: str, scope: str) -> None:
    """Make a key for the program NAME and print it, once."""
    from crm.services import api_keys

    with transaction():
        _, key = api_keys.create(name, scope=scope, actor=COMMAND, now=clock.now())
    click.echo(key)


@sync_group.command("run")
@click.option("--connection", "connection_id", type=int, help="Its number; may be left out when there is only one.")
@click.option("--resources", default="", help="Kinds with commas between (customer,invoice ...); all when left out.")
@click.option("--wait", is_flag=True, help="Do the work here and come back when it is done; no worker is needed.")
@plainly
def run_sync(connection_id: int | None, resources: str, wait: bool) -> None:
    """Import from QuickBooks: customers are matched with contacts, documents and balances come in."""
    from crm.services import sync

    connection_id = connection_id or sync_queries.only_connection()
    wanted = [word for word in resources.split(",") if word.strip()]
    with transaction():
        run_id = sync.start_run(connection_id, resources=wanted, trigger="command", actor=COMMAND, now=clock.now()).id
    if not wait:
        click.echo(f"Import {run_id} waits for a worker. See how far it is on its page, or use --wait.")
        return
    told = ""
    while (state := sync_queries.standing(run_id)).live:
        sync.run(run_id, clock=clock.now)
        if state.error and state.error != told:
            click.echo(f"Waiting: {state.error}", err=True)
        told = state.error
        if sync_queries.standing(run_id).live:
            time.sleep(1)
    counts = ", ".join(f"{name} {number}" for name, number in sorted(state.counts.items()))
    if state.state != "done":
        raise click.ClickException(f"Import {run_id} was not finished ({state.state}). {state.error}")
    click.echo(f"Import {run_id} is done: {counts}.")


@contact_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True))
@click.option("--owner", default="", help="E-mail of the person who gets the new contacts.")
@click.option("--duplicates", type=click.Choice(["update", "skip", "create"]), default="update", show_default=True)
@plainly
def import_contacts(file: str, owner: str, duplicates: str) -> None:
    """Bring in the contacts of FILE, a CSV with headings, at once."""
    from crm.services import contact_imports

    with open(file, "rb") as source, transaction():
        import_id = contact_imports.bring_in(
            file, source.read(), owner=owner, duplicates=duplicates, actor=COMMAND, now=clock.now()
        )
    found = contact_imports.run(import_id, clock=clock.now)
    counts = ", ".join(f"{number} {name}" for name, number in sorted(found.counts.items()))
    click.echo(f"{found.filename}: {found.total} rows: {counts}.")
    for row in contact_imports.reasons(import_id, limit=5):
        click.echo(f"  line {row.number}: {row.error}", err=True)


@contact_group.command("duplicates")
@click.option("--wait", is_flag=True, help="Do the work here and come back when it is done; no worker is needed.")
@plainly
def find_duplicates(wait: bool) -> None:
    """Look through all contacts and customers for pairs that may be one. Nothing is merged."""
    from crm.services import duplicates

    with transaction():
        run_id = duplicates.start(actor=COMMAND, now=clock.now()).id
    if not wait:
        click.echo(f"Search {run_id} waits for a worker. Use --wait to do it here.")
        return
    while (run := duplicates.standing(run_id)).finished_at is None:
        duplicates.advance(run_id, clock=clock.now)
        if duplicates.standing(run_id).finished_at is None:
            time.sleep(1)
    if run.state != "done":
        raise click.ClickException(f"Search {run_id} was not finished ({run.state}). {run.error}")
    found = f"{run.counts.get('same', 0)} certain, {run.counts.get('doubtful', 0)} doubtful"
    click.echo(f"Search {run_id} is done: {run.done} records looked at; pairs that may be one: {found}.")


def init_cli(app: Flask) -> None:
    from crm.insight_cli import insight_group

    for group in (keys, users, api_key_group, sync_group, contact_group, insight_group):
        app.cli.add_command(group)


def app_without_settings() -> Flask:
    """An application that can do nothing but make keys: what one needs before there are settings."""
    app = Flask("tradebook")
    bare = AppGroup("keys")
    bare.add_command(generate_key)
    app.cli.add_command(bare)
    return app
