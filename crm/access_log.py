"""What gunicorn logs, with secrets masked as everywhere (`crm/logging`): a customer's address is in the path itself.

Named by `--logger-class=crm.access_log.Logger`; nothing else imports it.
"""

from __future__ import annotations

from typing import Any

from gunicorn import glogging

from crm.logging import MaskingFormatter


class Logger(glogging.Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                plain = handler.formatter
                handler.setFormatter(MaskingFormatter(getattr(plain, "_fmt", None), getattr(plain, "datefmt", None)))
