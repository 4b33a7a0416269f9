"""Puts a sandbox together: store, companies, token authority, throttle, trouble, webhooks and the Flask application.

``create_app(settings)`` builds it, ``serving()`` runs it on a free port for a test. The parts are found under
``app.extensions["sandbox"]`` (a ``Sandbox``).
"""

import importlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

from flask import Flask, Response, g, request

from sandbox import admin, api, defaults, faults, oauth
from sandbox.server import Server
from sandbox.settings import OFF, Settings
from sandbox.store import Store
from sandbox.throttle import Counters, Gate
from sandbox.times import utc_now
from sandbox.tokens import ACCOUNTING, Authority, Tokens
from sandbox.trouble import AFTER, Rule, Script, wait
from sandbox.webhooks import Postman

FIRST_REALM = 9341450000000001


class Sandbox:
    """The parts of one running sandbox."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.store = Store(settings.database)
        self.authority = Authority(self.store, settings)
        self.gate = Gate(settings.throttle)
        self.counters = Counters()
        self.script = Script()
        self.postman = Postman(self.store, settings)
        self.fill()

    def fill(self, *, afresh: bool = False) -> None:
        """Generate the companies if there are none (or again, ``afresh``)."""
        if afresh:
            self.store.clear()
        if self.store.companies():
            return
        for number in range(self.settings.companies):
            realm = str(FIRST_REALM + number)
            if find_spec("sandbox.seed") and hasattr(importlib.import_module("sandbox.seed"), "load"):
                seed = importlib.import_module("sandbox.seed")
                seed.load(self.store, realm, size=self.settings.size, seed=self.settings.seed + number)
            else:
                with self.store.writing(realm) as books:
                    defaults.load(books, name=f"Sandbox Company {number + 1}", now=utc_now())
            if realm not in dict(self.store.companies()):
                info = self.store.reading(realm).get("CompanyInfo", 1) or {}
                self.store.add_company(realm, info.get("CompanyName", f"Company {realm}"))
        with self.store.exclusive() as connection:
            connection.execute("DELETE FROM notice")  # what was generated happened before anyone listened

    def close(self) -> None:
        self.postman.stop()
        self.store.close()


def create_app(settings: Settings) -> Flask:
    """The application with its companies; generates them first where the data directory has none."""
    app = Flask(__name__)
    app.secret_key = "sandbox"
    app.extensions["sandbox"] = Sandbox(settings)
    app.register_blueprint(oauth.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(admin.blueprint)
    if find_spec("sandbox.pages"):
        app.register_blueprint(importlib.import_module("sandbox.pages").blueprint)
        app.register_blueprint(importlib.import_module("sandbox.trade").blueprint)
    app.before_request(_before)
    app.after_request(_after)
    app.register_error_handler(faults.Fault, api.refused)
    app.register_error_handler(500, lambda error: api.refused(_system_fault(500, "unexpected")))
    return app


def _before() -> Response | None:
    g.started, g.rules = time.monotonic(), []
    if request.path.startswith("/_sandbox"):
        return None
    sandbox: Sandbox = api.sandbox()
    realm, entity = _subject()
    g.rules = sandbox.script.strike(request.method, request.full_path.rstrip("?"), realm, entity)
    for rule in g.rules:
        if rule.action == "latency":
            wait(rule)
        elif rule.action == "expire_tokens":
            sandbox.authority.expire(realm or None)
        elif rule.action == "revoke_tokens":
            sandbox.authority.revoke_all(realm or None)
        elif rule.action not in AFTER:
            return _struck(rule)
    return None


def _struck(rule: Rule) -> Response:
    action, status = rule.action, rule.status
    if action == "throttle":
        response = api.refused(faults.throttled())
        if rule.retry_after:
            response.headers["Retry-After"] = str(rule.retry_after)
        return response
    if action == "html":
        page = f"<html><head><title>{status}</title></head><body><h1>Service Unavailable</h1></body></html>"
        return Response(page, status, mimetype="text/html")
    if action == "drop_before":
        return _cut()
    return api.refused(_system_fault(status))


def _system_fault(status: int, why: str = "scripted") -> faults.Fault:
    message = "An application error has occurred while processing your request"
    return faults.Fault("10000", message, f"System Failure Error: {why}", type="SystemFault", status=status)


def _cut() -> Response:
    """Break the connection; outside the sandbox's own server that cannot be done."""
    connection = request.environ.get("sandbox.connection")
    if connection is None:
        raise ConnectionAbortedError("the connection is cut by script")
    connection.cut()
    return Response(status=500)


def _after(response: Response) -> Response:
    for rule in getattr(g, "rules", []):
        if rule.action == "drop_after":
            return _cut()
        if rule.action == "status_after":
            return api.refused(_system_fault(rule.status))
        if rule.action == "body":
            response.set_data(rule.body)
    return response


def _subject() -> tuple[str, str]:
    """(realm, entity) a request is about, for matching trouble; a query counts for the entity it names."""
    parts = request.path.split("/")
    if parts[1:3] != ["v3", "company"] or len(parts) < 5:
        return "", ""
    entity = parts[4]
    if entity == "query":
        statement = request.args.get("query") or request.get_data(as_text=True)
        words = statement.split()
        upper = [word.upper() for word in words]
        entity = words[upper.index("FROM") + 1] if "FROM" in upper[:-1] else entity
    return parts[3], entity


@dataclass
class Served:
    """A running sandbox: its address and its parts."""

    url: str
    sandbox: Sandbox
    server: Server

    @property
    def store(self) -> Store:
        return self.sandbox.store

    @property
    def realm(self) -> str:
        """The first company."""
        return self.sandbox.store.companies()[0][0]

    @property
    def discovery_url(self) -> str:
        return self.url + "/.well-known/openid_sandbox_configuration/"

    def connect(self, realm: str | None = None, scope: str = ACCOUNTING) -> Tokens:
        """Tokens for a company, as if its owner had consented."""
        redirect_uri = "http://localhost/"
        code = self.sandbox.authority.code(realm or self.realm, scope, redirect_uri)
        return self.sandbox.authority.exchange(code, redirect_uri, None)


def run(settings: Settings) -> Served:
    """Start a sandbox in a thread of this process; stop it with ``stop``. Raises OSError when the port is taken."""
    server = Server(None, settings.port)  # first, so that a port in use is told before a company is generated
    try:
        app = create_app(settings)
    except BaseException:
        server.server_close()
        raise
    sandbox: Sandbox = app.extensions["sandbox"]
    server.application, server.after_connection = app, sandbox.store.release
    sandbox.postman.start()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox", daemon=True).start()
    return Served(server.url, sandbox, server)


def stop(served: Served) -> None:
    served.server.shutdown()
    served.server.server_close()
    served.sandbox.close()


@contextmanager
def serving(data: Path | str | None = None, **overrides: Any) -> Iterator[Served]:
    """A sandbox on a free port for a test: small, unthrottled, in a directory of its own unless ``data`` is given.

    ``overrides`` are fields of ``Settings``, e.g. ``size=30, access_seconds=2, app_url=...``.
    """
    with tempfile.TemporaryDirectory(prefix="sandbox-", ignore_cleanup_errors=True) as fresh:
        settings = Settings(data=Path(data or fresh), port=0, size=30, companies=2, throttle=OFF)
        served = run(replace(settings, **overrides))
        try:
            yield served
        finally:
            stop(served)
