"""Settings: one frozen value read from the environment, checked at the start, with advice when something is missing.

Read once by `create_app()`; nothing else reads the environment. Every setting is in `.env.example`
(a test keeps that complete). Defaults are those of the embedded mode: SQLite under `instance/`, a broker
without a server. Secrets have no default on purpose.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from flask import current_app

from crm.domain.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
DISCOVERY = "https://developer.intuit.com/.well-known/openid_configuration/"
DISCOVERY_SANDBOX = "https://developer.intuit.com/.well-known/openid_sandbox_configuration/"
API = "https://quickbooks.api.intuit.com"
API_SANDBOX = "https://sandbox-quickbooks.api.intuit.com"


@dataclass(frozen=True, slots=True)
class Settings:
    """Names in capitals are the environment's; see `.env.example` for what each is for."""

    secret_key: str = field(repr=False)
    token_encryption_keys: tuple[str, ...] = field(repr=False)
    database_url: str
    redis_url: str
    broker_dir: Path
    app_url: str
    host: str
    port: int
    instance_dir: Path
    trusted_proxies: int
    default_region: str
    demo: bool
    demo_notes: str
    log_level: str
    quickbooks_client_id: str
    quickbooks_client_secret: str = field(repr=False)
    quickbooks_redirect_uri: str
    quickbooks_sandbox: bool
    quickbooks_webhook_verifier_token: str = field(repr=False)
    quickbooks_discovery_url: str
    quickbooks_api_url: str
    quickbooks_monthly_calls: int
    sync_log_days: int
    argon2_memory_kib: int
    argon2_rounds: int

    @property
    def secure(self) -> bool:
        """Whether people reach us over https (cookies are then marked Secure)."""
        return self.app_url.startswith("https://")

    @property
    def quickbooks_ready(self) -> bool:
        return bool(self.quickbooks_client_id and self.quickbooks_client_secret)


def current() -> Settings:
    """The settings of the application whose context is open: for services, which know nothing of Flask."""
    settings: Settings = current_app.extensions["settings"]
    return settings


def environment() -> dict[str, str]:
    """The process environment over the file named by ENV_FILE (default `.env` beside wsgi.py)."""
    path = Path(os.environ.get("ENV_FILE", ROOT / ".env"))
    stored = {name: value or "" for name, value in dotenv_values(path).items()} if path.is_file() else {}
    return {**stored, **os.environ}


def read(env: Mapping[str, str]) -> Settings:
    """Settings from these variables. Raises SettingsError, naming the setting and the way out."""
    problems: list[str] = []
    port = _whole(env, "PORT", 8000, problems)
    app_url = env.get("APP_URL", "").rstrip("/") or f"http://localhost:{port}"
    sandbox = _flag(env, "QUICKBOOKS_SANDBOX", True, problems)
    instance = Path(env.get("INSTANCE_DIR") or ROOT / "instance")
    keys = tuple(key.strip() for key in env.get("TOKEN_ENCRYPTION_KEYS", "").split(",") if key.strip())
    if len(env.get("SECRET_KEY", "")) < 16:
        problems.append(
            "SECRET_KEY is missing or shorter than 16 characters. Make one with: "
            'python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    if not keys:
        problems.append("TOKEN_ENCRYPTION_KEYS is missing. Make one with: make key (or flask --app wsgi keys generate)")
    if not app_url.startswith(("http://", "https://")):
        problems.append(f"APP_URL must start with http:// or https://, not {app_url!r}.")
    settings = Settings(
        secret_key=env.get("SECRET_KEY", ""),
        token_encryption_keys=keys,
        database_url=_database_url(env.get("DATABASE_URL", ""), instance),
        redis_url=env.get("REDIS_URL", ""),
        broker_dir=Path(env.get("BROKER_DIR") or instance / "broker"),
        app_url=app_url,
        host=env.get("HOST") or "127.0.0.1",
        port=port,
        instance_dir=instance,
        trusted_proxies=_whole(env, "TRUSTED_PROXIES", 0, problems),
        default_region=(env.get("DEFAULT_REGION") or "US").upper(),
        demo=_flag(env, "DEMO", False, problems),
        demo_notes=env.get("DEMO_NOTES", ""),
        log_level=(env.get("LOG_LEVEL") or "INFO").upper(),
        quickbooks_client_id=env.get("QUICKBOOKS_CLIENT_ID", ""),
        quickbooks_client_secret=env.get("QUICKBOOKS_CLIENT_SECRET", ""),
        quickbooks_redirect_uri=env.get("QUICKBOOKS_REDIRECT_URI") or f"{app_url}/auth/quickbooks/callback",
        quickbooks_sandbox=sandbox,
        quickbooks_webhook_verifier_token=env.get("QUICKBOOKS_WEBHOOK_VERIFIER_TOKEN", ""),
        quickbooks_discovery_url=env.get("QUICKBOOKS_DISCOVERY_URL") or (DISCOVERY_SANDBOX if sandbox else DISCOVERY),
        quickbooks_api_url=(env.get("QUICKBOOKS_API_URL") or (API_SANDBOX if sandbox else API)).rstrip("/"),
        quickbooks_monthly_calls=_whole(env, "QUICKBOOKS_MONTHLY_CALLS", 500_000, problems),
        sync_log_days=_whole(env, "SYNC_LOG_DAYS", 180, problems),
        argon2_memory_kib=_whole(env, "ARGON2_MEMORY_KIB", 65_536, problems),
        argon2_rounds=_whole(env, "ARGON2_ROUNDS", 3, problems),
    )
    if settings.sync_log_days < 1:
        problems.append("SYNC_LOG_DAYS must be at least 1: the days for which the sync log is kept.")
    if problems:
        raise SettingsError(
            "Tradebook cannot start:\n- " + "\n- ".join(problems) + "\nEvery setting is explained in .env.example."
        )
    return settings


def _database_url(url: str, instance: Path) -> str:
    if not url:
        return f"sqlite:///{instance / 'tradebook.db'}"
    # Hosting services hand out the old scheme; the driver is psycopg 3.
    for old in ("postgres://", "postgresql://"):
        if url.startswith(old):
            return "postgresql+psycopg://" + url.removeprefix(old)
    return url


def _whole(env: Mapping[str, str], name: str, default: int, problems: list[str]) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdigit():
        problems.append(f"{name} must be a whole number, not {text!r}.")
        return default
    return int(text)


def _flag(env: Mapping[str, str], name: str, default: bool, problems: list[str]) -> bool:
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    problems.append(f"{name} must be true or false, not {text!r}.")
    return default
