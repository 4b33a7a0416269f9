"""Everything one can set on a sandbox, in one frozen record with defaults that work.

``create_app`` and the server take it; ``python -m sandbox`` fills it from its arguments. Nothing here is secret: the
client secret and the verifier token of a simulated company are published on purpose.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Throttle:
    """Requests allowed per company; 0 switches a limit off [FACTS 3.1]."""

    per_minute: int = 500
    per_second: int = 10
    batches_per_minute: int = 40


OFF = Throttle(0, 0, 0)


@dataclass(frozen=True)
class Settings:
    """How one sandbox behaves."""

    data: Path
    port: int = 8700
    size: int = 300  # customers per generated company
    seed: int = 7
    companies: int = 2
    app_url: str | None = None  # webhooks go to <app_url>/webhooks/quickbooks; None: none are sent
    webhook_format: str = "cloudevents"  # or "legacy"
    webhook_delay: float = 0.3  # seconds in which changes are gathered into one delivery
    webhook_retries: tuple[float, ...] = (0.5, 1, 2, 5, 10, 30)  # the real ones: 10 s ... 6 h [FACTS 6.4]
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"
    verifier_token: str = "sandbox-verifier"
    access_seconds: int = 3600
    refresh_seconds: int = 8_726_400
    hard_expiry_seconds: int = 157_680_000
    rotate_after_seconds: int = 0  # 0: each refresh gives a new refresh token; the real one changes about daily
    grace_seconds: int = 0  # how long a replaced refresh token still works
    throttle: Throttle = field(default_factory=Throttle)

    @property
    def database(self) -> Path:
        return Path(self.data) / "sandbox.sqlite3"
