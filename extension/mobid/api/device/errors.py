"""What a phone's request is refused with before it reaches a process.

RequestRefused (`mobid.api.errors`)
└── DeviceRequestRefused
    ├── MalformedRequest    MALFORMED_REQUEST   no flattened JWS of the agreed form
    ├── BadSignature        BAD_SIGNATURE       a claim not signed by the key that it names
    └── BadNonce            BAD_NONCE           take the one of this answer and send again
"""

from __future__ import annotations

from mobid.api.errors import RequestRefused


class DeviceRequestRefused(RequestRefused):
    """A request that is no well-formed, fresh, signed one; the message says what would be right."""


class MalformedRequest(DeviceRequestRefused):
    """The body is not the flattened JWS that this interface takes."""

    code = "MALFORMED_REQUEST"

    def __init__(self, part: str, right: str) -> None:
        self.part, self.right = part, right
        super().__init__(f"The {part} of the request {right}.")


class BadSignature(DeviceRequestRefused):
    """The signature does not fit the key in the request."""

    code = "BAD_SIGNATURE"

    def __init__(self) -> None:
        super().__init__(
            "The signature does not fit the jwk in the protected header. It is ES256: the 64 bytes"
            " r and s over the text protected.payload (RFC 7515, 5.1 and RFC 7518, 3.4)."
        )


class BadNonce(DeviceRequestRefused):
    """The nonce is unknown, used or too old."""

    code = "BAD_NONCE"

    def __init__(self) -> None:
        super().__init__(
            "The nonce is not ours, used or too old. Sign again with the Replay-Nonce of this answer."
        )
