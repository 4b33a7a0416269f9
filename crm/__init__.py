"""Tradebook: a CRM in step with QuickBooks Online. `create_app()` is the inventory of the house."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from crm import config, encryption, logging, passwords
from crm import models as _models  # noqa: F401  every table must be known before the first query
from crm.celery_app import init_celery
from crm.cli import init_cli
from crm.config import Settings
from crm.db import db
from crm.extensions import csrf, htmx, login_manager, migrate
from crm.security import init_security
from crm.web import init_web


def create_app(settings: Settings | None = None) -> Flask:
    """The application. Without `settings` they are read from the environment (raises SettingsError with advice)."""
    settings = settings or config.read(config.environment())
    settings.instance_dir.mkdir(parents=True, exist_ok=True)
    logging.set_up(settings.log_level)
    passwords.set_up(settings.argon2_memory_kib, settings.argon2_rounds)
    encryption.install(encryption.Keyring(settings.token_encryption_keys))

    app = Flask(__name__, instance_path=str(settings.instance_dir.resolve()))
    app.extensions["settings"] = settings
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_pre_ping": not settings.database_url.startswith("sqlite"),
            "hide_parameters": True,  # names and phones stay out of tracebacks, and so out of logs
        },
        MAX_CONTENT_LENGTH=32 * 1024 * 1024,
        SESSION_COOKIE_NAME="tradebook",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure,
        REMEMBER_COOKIE_NAME="tradebook_remember",
        REMEMBER_COOKIE_HTTPONLY=True,
        REMEMBER_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_SECURE=settings.secure,
        REMEMBER_COOKIE_DURATION=timedelta(days=30),
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        WTF_CSRF_TIME_LIMIT=None,
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]

    db.init_app(app)
    migrate.init_app(app, db)
    csrf.init_app(app)
    htmx.init_app(app)
    login_manager.init_app(app)
    init_security(app)
    init_web(app)
    init_celery(app, settings)
    init_cli(app)
    _register_blueprints(app)
    return app


def _register_blueprints(app: Flask) -> None:
    from crm.blueprints import (
        api,
        api_keys,
        audit,
        auth,
        bills,
        conflicts,
        contact_imports,
        contacts,
        deliveries,
        engine,
        forecasts,
        health,
        home,
        insight,
        integrations,
        invoices,
        jobs,
        match_figures,
        match_settings,
        matches,
        oauth,
        outbox,
        papers,
        payments,
        plans,
        products,
        proofs,
        public,
        quotes,
        sales_settings,
        segments,
        sync_log,
        sync_runs,
        sync_settings,
        users,
        vendors,
        webhooks,
    )

    modules = (
        api, api_keys, audit, auth, bills, conflicts, contact_imports, contacts, deliveries, engine, forecasts,
        health, home, insight, integrations, invoices, jobs, match_figures, match_settings, matches, oauth, outbox,
        papers, payments, plans, products, proofs, public, quotes, sales_settings, segments, sync_log, sync_runs,
        sync_settings, users, vendors, webhooks,
    )  # fmt: skip
    for module in modules:
        app.register_blueprint(module.blueprint)
