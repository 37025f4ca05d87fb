"""From the code to the mobile ID: claim, keys, certificates, confirm. Each step can be repeated."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .certificates import delivered, pkcs12_of, request_for
from .channel import Answer
from .errors import NotInTime, Refused, StrangeAnswer, Usage
from .jose import encode, flattened, public_jwk

if TYPE_CHECKING:
    from collections.abc import Callable

    from .certificates import Delivered
    from .channel import Channel
    from .pocket import Pocket

KINDS: Final = ("authentication", "signature", "encryption")
DEVICE_KEY: Final = "device"
TRANSPORT_KEY: Final = "transport"
PROOF_TYPE: Final = "mobid-confirm"

_PAUSE: Final = 2  # seconds between two questions, where the server does not say
_LONGEST_PAUSE: Final = 30
_TOO_MANY: Final = 429
_BAD_CODE: Final = "BAD_CODE"


@dataclass(frozen=True, slots=True)
class MailCode:
    """The code that the page shows beside one that came by mail: given, or to be asked for."""

    given: str | None = None
    ask: Callable[[], str] | None = None


class Enrolment:
    """One Get, seen from the phone. `tell` is called with what happens and its facts."""

    def __init__(self, channel: Channel, pocket: Pocket, tell: Callable[..., None]) -> None:
        self._channel, self._pocket, self._tell = channel, pocket, tell

    def claim(self, code: str, device: dict[str, str], mail_code: MailCode) -> None:
        """Bind the code to this phone. The device key was made before, so a lost answer is no harm."""
        said = self._said_to_claim({"code": code, "device": device}, mail_code)
        match said:
            case {
                "kid": str(kid),
                "number": int(number),
                "profile": {
                    "server_name": str(server_name),
                    "user_id": str(user_id),
                    "profile_name": str(profile_name),
                    "properties": dict(properties),
                },
                "keys": [*wanted],
            }:
                profile = {
                    "server_name": server_name,
                    "user_id": user_id,
                    "profile_name": profile_name,
                }
            case _:
                raise StrangeAnswer("The server answered the claim in another way than agreed.")
        kinds = [_kind(one) for one in wanted]
        self._pocket.remember(
            server=self._channel.server,
            kid=kid,
            kinds=kinds,
            profile=profile | {"properties": properties},
        )
        self._tell("claimed", number=number, expires_at=said.get("expires_at"), **profile)

    def _said_to_claim(self, payload: dict[str, object], mail_code: MailCode) -> dict[str, Any]:
        """Claim, and again with the code of the page as long as the server asks and somebody knows it."""
        typed = mail_code.given
        while True:
            beside = {} if typed is None else {"mail_code": typed}
            try:
                return self._channel.claim(payload | beside).said
            except Refused as refusal:
                if refusal.server_code != _BAD_CODE:
                    raise
                self._tell("mail_code_needed", tries_left=refusal.tries_left)
                if mail_code.ask is None or refusal.tries_left == 0:
                    raise
                typed = mail_code.ask()

    def send_keys(self) -> None:
        """Make a key for every certificate, and send the requests: the same ones when repeated."""
        state = self._claimed()
        requests = {kind: self._request(kind) for kind in state["kinds"]}
        transport = public_jwk(self._pocket.key(TRANSPORT_KEY))
        payload = {"csrs": requests, "transport_key": transport}
        answer = self._channel.say("keys", state["kid"], payload)
        self._pocket.remember(keys_sent=True)
        self._tell("keys_sent", state=answer.said.get("state"))

    def collect(self, password: bytes, *, patience: float) -> None:
        """Wait for the owner's approval and the CA, install every certificate, and confirm."""
        state = self._claimed()
        if not state.get("keys_sent"):
            raise Usage("This phone has sent no keys yet; do that first.")
        keys = {kind: self._pocket.key(kind) for kind in state["kinds"]}
        certificates = delivered(self._wait(state["kid"], patience), keys)
        self._tell("approved")
        for one in certificates:
            name = state["profile"]["profile_name"]
            data = pkcs12_of(one, keys[one.kind], name=name, password=password)
            file = self._pocket.write(f"{one.kind}.p12", data)
            self._tell("stored", kind=one.kind, file=str(file))
        self._confirm(state["kid"], certificates)

    def status(self) -> str:
        """Return the state of the mobile ID."""
        return self._state_after("status")

    def remove(self) -> str:
        """Lock the mobile ID, then delete everything here that could use it."""
        state = self._state_after("remove")
        self._pocket.forget(f"{TRANSPORT_KEY}.key")
        for kind in KINDS:
            self._pocket.forget(f"{kind}.key", f"{kind}.csr", f"{kind}.p12")
        return state

    def _confirm(self, kid: str, certificates: list[Delivered]) -> None:
        hashes = [encode(one.digest) for one in certificates]
        payload: dict[str, object] = {"hashes": hashes}
        if any(one.kind == "authentication" for one in certificates):
            header = {"typ": PROOF_TYPE, "url": self._channel.address("confirm")}
            signer = self._pocket.key("authentication")
            payload["proof"] = flattened(header, {"kid": kid, "hashes": hashes}, signer)
        state = _state(self._channel.say("confirm", kid, payload))
        if state != "active":
            raise StrangeAnswer(f"The phone confirmed, but the mobile ID is {state}.")
        self._pocket.remember(active=True)
        for kind in KINDS:
            self._pocket.forget(f"{kind}.key", f"{kind}.csr")
        self._tell("active")

    def _wait(self, kid: str, patience: float) -> dict[str, Any]:
        """Ask for the certificates as often as the server says, and no longer than `patience` seconds."""
        end = time.monotonic() + patience
        told = None
        while True:
            answer = self._ask(kid)
            if answer.status == 200:  # noqa: PLR2004  HTTP's own number for "here it is"
                return answer.said
            if answer.said.get("state") != told:
                told = answer.said.get("state")
                self._tell("waiting", state=told)
            pause = min(answer.retry_after or _PAUSE, _LONGEST_PAUSE)
            if time.monotonic() + pause > end:
                raise NotInTime(
                    f"The certificates did not come within {patience:.0f} s. Approve this phone on "
                    "the page, then run the same command again."
                )
            time.sleep(pause)

    def _ask(self, kid: str) -> Answer:
        try:
            return self._channel.say("result", kid, {})
        except Refused as refusal:
            if refusal.status != _TOO_MANY:
                raise
            return Answer(_TOO_MANY, {"state": "too many questions"}, refusal.retry_after)

    def _request(self, kind: str) -> str:
        """Return the request for a key; a signature is different every time, so it is kept."""
        kept = self._pocket.read(f"{kind}.csr")
        if kept is None:
            kept = request_for(self._pocket.key(kind))
            self._pocket.write(f"{kind}.csr", kept)
        return encode(kept)

    def _state_after(self, verb: str) -> str:
        return _state(self._channel.say(verb, self._claimed()["kid"], {}))

    def _claimed(self) -> dict[str, Any]:
        state = self._pocket.state()
        if "kid" not in state:
            raise Usage(
                "This phone has claimed no code yet; give it a picture, link or typed code."
            )
        return state


def _kind(one: object) -> str:
    """Return the kind of a wanted key. It becomes a file name, so it is one of ours or none."""
    match one:
        case {"kind": str(kind), "key_types": [*types]} if kind in KINDS and "EC P-256" in types:
            return kind
        case _:
            raise StrangeAnswer("The server wants a key that this phone cannot make.")


def _state(answer: Answer) -> str:
    match answer.said:
        case {"state": str(state)}:
            return state
        case _:
            raise StrangeAnswer("The server did not say in which state the mobile ID is.")
