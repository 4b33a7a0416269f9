"""Settings: complete in .env.example, refused with advice when a secret is missing, never defaulted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from crm import config, encryption
from crm.domain.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
ENOUGH = {"SECRET_KEY": "x" * 32, "TOKEN_ENCRYPTION_KEYS": encryption.new_key()}


def test_the_example_file_names_every_setting_that_is_read() -> None:
    read = set(
        re.findall(r'(?:env\.get\(|_whole\(env, |_flag\(env, )"([A-Z0-9_]+)"', (ROOT / "crm/config.py").read_text())
    )
    read |= {"ENV_FILE"}
    documented = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert documented == read


@pytest.mark.parametrize("missing", ["SECRET_KEY", "TOKEN_ENCRYPTION_KEYS"])
def test_a_missing_secret_is_refused_by_name(missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        config.read({**ENOUGH, missing: ""})


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        config.read({"PORT": "eighty", "QUICKBOOKS_SANDBOX": "maybe"})
    for name in ("SECRET_KEY", "TOKEN_ENCRYPTION_KEYS", "PORT", "QUICKBOOKS_SANDBOX"):
        assert name in str(refused.value)


def test_the_environment_of_intuit_follows_the_switch() -> None:
    production = config.read({**ENOUGH, "QUICKBOOKS_SANDBOX": "false"})
    assert production.quickbooks_api_url == "https://quickbooks.api.intuit.com"
    assert "sandbox" not in production.quickbooks_discovery_url
    assert "sandbox" in config.read(ENOUGH).quickbooks_api_url


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = config.read({**ENOUGH, "QUICKBOOKS_CLIENT_SECRET": "hush-hush"})
    assert "hush-hush" not in repr(settings) and ENOUGH["SECRET_KEY"] not in repr(settings)


def test_without_settings_only_a_key_can_be_made(tmp_path: Path) -> None:
    def flask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments], cwd=ROOT, text=True, capture_output=True,
            env={"PATH": "/usr/bin:/bin", "ENV_FILE": str(tmp_path / "none"), "FLASK_SKIP_DOTENV": "1"}, check=False,
        )  # fmt: skip

    made = flask("keys", "generate")
    assert made.returncode == 0 and encryption.Keyring((made.stdout.strip(),))
    refused = flask("db", "upgrade")
    assert refused.returncode != 0 and "SECRET_KEY is missing" in refused.stderr and "Traceback" not in refused.stderr
