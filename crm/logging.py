"""Logging: one line an event to standard error, with secrets masked whatever wrote them."""

from __future__ import annotations

import logging
import re

# What looks like a credential is masked even if a library prints it.
SECRETS = re.compile(
    r"(?i)(bearer\s+|basic\s+|(?:access_token|refresh_token|client_secret|password|code_verifier|code|state|token)"
    r"[\"']?\s*[=:]\s*[\"']?)([A-Za-z0-9._~+/=-]{6,})"
)
# A customer's address is a credential as well: of its path only the beginning is told.
PUBLIC_PATHS = re.compile(r"(/q/)[^/\s?\"']+")


def masked(text: str) -> str:
    text = PUBLIC_PATHS.sub(r"\1***", text)
    return SECRETS.sub(lambda found: found.group(1) + "***", text)


class MaskingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def set_up(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("urllib3", "kombu", "amqp", "celery.utils.functional"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
