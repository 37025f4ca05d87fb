"""What the JSON interfaces refuse before a process is asked.

RequestRefused
├── UnsupportedMediaType    the body is not announced as JSON
├── InvalidBody             JSON, but not what this address takes; every fault with its field
├── NoCodeToShow            a picture is asked for where there is no code
├── NoSuchCA                a CA that we do not publish for, or that publishes no such thing
└── DeviceRequestRefused    what a phone sent is not signed as agreed (`mobid.api.device.errors`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RequestRefused(Exception):
    """Nothing was done; the message says what would be right."""

    code: ClassVar[str]


class UnsupportedMediaType(RequestRefused):
    """A body that we do not read."""

    code = "UNSUPPORTED_MEDIA_TYPE"

    def __init__(self, right: str) -> None:
        super().__init__(f"Send the body as {right}.")


class InvalidBody(RequestRefused):
    """`errors` has the faults by field, nested fields with dots."""

    code = "INVALID_INPUT"

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = errors
        faults = "; ".join(f"{field}: {' '.join(words)}" for field, words in errors.items())
        super().__init__(f"The body does not fit. {faults}")


class NoCodeToShow(RequestRefused):
    """The instance is at another step, or its code has lapsed."""

    code = "NO_CODE"

    def __init__(self, instance_id: str, step: str) -> None:
        super().__init__(
            f"Process {instance_id} at step {step} has no code to show; "
            "there is one at step qr until it lapses, and after renew."
        )


class NoSuchCA(RequestRefused):
    """The address of a CA that is not here."""

    code = "NOT_FOUND"

    def __init__(self, name: str, thing: str) -> None:
        super().__init__(f'There is no {thing} of a CA "{name}" here.')
