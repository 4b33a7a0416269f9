"""Files that somebody uploaded, sent so that no browser runs or shows anything of them on our address."""

from __future__ import annotations

from typing import Any

from flask import Response, send_file

from crm.services import attachments

POLICY = "default-src 'none'; sandbox"


def sandboxed(attachment: Any) -> Response:
    """The bytes under their own name, to be saved. Raises NotFound where they do not lie on this machine."""
    answer = send_file(
        attachments.path(attachment).resolve(), mimetype=attachment.content_type, as_attachment=True,
        download_name=attachment.name, max_age=0,
    )  # fmt: skip
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
