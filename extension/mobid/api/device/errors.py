"""What a phone's request is refused with before it reaches a process, each with its status and code.

DeviceRequestRefused
├── MalformedRequest        400 MALFORMED_REQUEST       no flattened JWS of the agreed form
├── BadSignature            400 BAD_SIGNATURE           a claim not signed by the key that it names
├── BadNonce                400 BAD_NONCE               take the one of this answer and send again
├── RequestTooLarge         413 REQUEST_TOO_LARGE
└── UnsupportedMediaType    415 UNSUPPORTED_MEDIA_TYPE

What the processes refuse (`mobid.processes.errors`) goes through, and `mobid.app` maps it.
"""

from __future__ import annotations

from typing import ClassVar


class DeviceRequestRefused(Exception):
    """A request that is no well-formed, fresh, signed one; the message says what would be right."""

    status: ClassVar[int] = 400
    code: ClassVar[str]


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


class RequestTooLarge(DeviceRequestRefused):
    """The body is longer than anything that a phone has to say."""

    status = 413
    code = "REQUEST_TOO_LARGE"

    def __init__(self, most: int) -> None:
        super().__init__(f"The body of the request is longer than {most} bytes.")


class UnsupportedMediaType(DeviceRequestRefused):
    """The body is not announced as a JWS."""

    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"

    def __init__(self) -> None:
        super().__init__("Send the body as application/jose+json or application/json.")
