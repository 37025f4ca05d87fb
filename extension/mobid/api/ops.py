"""For whoever watches the process: does it live, and can it work. Open to all, so it tells no details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, jsonify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME: Final = "ops"


def blueprint(failing: Callable[[], Sequence[str]]) -> Blueprint:
    """Build the blueprint. `failing` names the parts that do not work now; it must answer soon."""
    ops = Blueprint(NAME, __name__)

    @ops.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @ops.get("/healthz")
    def lives() -> Response:
        """Say that the process lives. Nothing is asked: who cannot work must not be killed for it."""
        return jsonify(status="ok")

    @ops.get("/readyz")
    def ready() -> tuple[dict[str, Any], int]:
        """Say whether requests can be served: 200, or 503 with the names of the parts that fail."""
        parts = list(failing())
        if parts:
            return {"status": "not_ready", "failing": parts}, 503
        return {"status": "ready"}, 200

    return ops
