"""Commands of `flask --app wsgi insight`: work forecasts out now, and see how they would have done."""

from __future__ import annotations

from datetime import datetime

import click
from flask.cli import AppGroup

from crm import clock

insight_group = AppGroup("insight", help="Expected payments, forecasts and customer values.")
KINDS = click.Choice(["payments", "quotes", "value"])


@insight_group.command("refresh")
def refresh() -> None:
    """Work everything out now, as the nightly job does."""
    from crm.services import forecasting

    for kind, took in forecasting.refresh(clock=clock.now).items():
        click.echo(f"{kind}: {took / 1000:.1f} s")


@insight_group.command("backtest")
@click.option("--kind", type=KINDS, multiple=True, help="Only this one; may be given more than once.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="As though this day were today.")
@click.option("--sample", is_flag=True, help="Of a made-up company whose behaviour is known, not of this one.")
def backtest(kind: tuple[str, ...], as_of: datetime | None, sample: bool) -> None:
    """Print how predictions would have done on days gone by, beside the simple way. Nothing is stored."""
    from crm.domain import backtest_tables
    from crm.services.forecasting import KINDS, looking_back

    if sample and as_of:
        raise click.UsageError("--sample stands at a day of its own; leave --as-of out.")
    kinds = kind or KINDS
    found = looking_back.of_sample(kinds) if sample else looking_back.of_company(
        kinds, now=clock.now(), as_of=as_of.date() if as_of else None
    )  # fmt: skip
    click.echo(backtest_tables.text(found))
