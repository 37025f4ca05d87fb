"""The routes of the device interface: one signed request in, one call, one answer out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Response, jsonify, request

from mobid.api.device import answers, payloads, proof
from mobid.api.device.door import Door
from mobid.api.device.openapi import DeviceBlueprint, signed
from mobid.processes.enrolment import ResultPending

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask_smorest import Blueprint

    from mobid.api.device.nonces import Nonces
    from mobid.api.device.ports import Phones

PREFIX: Final = "/device/v1"

_BY_KID: Final = "alg, url, nonce and kid"
_EMPTY: Final = payloads.EmptyPayload()


def blueprint(
    phones: Phones,
    nonces: Nonces,
    public_url: str,
    *,
    count_claim: Callable[[str | None], None],
) -> Blueprint:
    """Build the blueprint. `public_url` is scheme, host and port, as phones call us.

    `count_claim` gets the address of who claims, and raises if there were too many from there.

    Errors are left to the application's error handler; every answer of these routes, an error too,
    carries a fresh nonce.
    """
    device = DeviceBlueprint(
        "device",
        __name__,
        url_prefix=PREFIX,
        description="Phones: claim a code, send keys, fetch certificates, confirm.",
    )
    door = Door(phones.device_key, nonces, public_url, count_claim)

    @device.after_request
    def fresh_nonce(response: Response) -> Response:
        response.headers["Replay-Nonce"] = nonces.fresh()
        response.headers["Cache-Control"] = "no-store"
        return response

    _get_routes(device, door, phones)
    _life_routes(device, door, phones)
    return device


def _get_routes(device: DeviceBlueprint, door: Door, phones: Phones) -> None:
    """Add the four messages of a Get, in their order."""

    @device.post("/claim")
    @signed(payloads.ClaimPayload, header="alg, url and jwk (the new device key)")
    @device.response(200, answers.ClaimAnswer)
    @device.alt_response(
        429,
        description="`TOO_MANY`: too many claims from this address; come back after Retry-After seconds.",
        content_type="application/problem+json",
    )
    def claim() -> dict[str, Any]:
        """Claim a code for this phone; the same phone may repeat it."""
        key, payload = door.claimant(request)
        said = payloads.load(payloads.ClaimPayload(), payload)
        return answers.claimed(
            phones.claim(
                said["code"],
                thumbprint=key.thumbprint,
                jwk=key.jwk,
                device=said["device"],
                mail_code=said.get("mail_code"),
            )
        )

    @device.post("/keys")
    @signed(payloads.KeysPayload, header=_BY_KID)
    @device.response(200, answers.StateAnswer)
    def keys() -> dict[str, str]:
        """Send a certificate request for every kind; the user is asked to approve them next."""
        phone, payload = door.caller(request)
        said = payloads.load(payloads.KeysPayload(), payload)
        transport = said.get("transport_key")
        phones.keys(phone, said["csrs"], None if transport is None else transport.jwk)
        return {"state": "waiting_approval"}

    @device.post("/result")
    @signed(payloads.EmptyPayload, header=_BY_KID)
    @device.response(200, answers.ResultAnswer)
    @device.alt_response(
        202,
        schema=answers.StateAnswer,
        description="Not yet: ask again after Retry-After seconds.",
        success=True,
    )
    def result() -> dict[str, Any] | Response:
        """Fetch the certificates; may be repeated until confirmed."""
        phone, payload = door.caller(request)
        payloads.load(_EMPTY, payload)
        answer = phones.result(phone)
        if isinstance(answer, ResultPending):
            return _not_yet(answer)
        return answers.issued(answer)

    @device.post("/confirm")
    @signed(payloads.ConfirmPayload, header=_BY_KID)
    @device.response(200, answers.StateAnswer)
    def confirm() -> dict[str, str]:
        """Say that every certificate is installed: from now on the mobile ID can be used."""
        phone, payload = door.caller(request)
        said = payloads.load(payloads.ConfirmPayload(), payload)
        proof.check(
            said.get("proof"),
            phones.authentication_certificate(phone),
            kid=phone.enrolment_id,
            hashes=said["hashes"],
            url=door.public_url + request.path,
        )
        return {"state": phones.confirm(phone, frozenset(said["hashes"]))}


def _life_routes(device: DeviceBlueprint, door: Door, phones: Phones) -> None:
    """Add what a phone asks and says later in the life of its mobile ID."""

    @device.post("/status")
    @signed(payloads.EmptyPayload, header=_BY_KID)
    @device.response(200, answers.StateAnswer)
    def status() -> dict[str, str]:
        """Tell the state of the mobile ID on this phone."""
        phone, payload = door.caller(request)
        payloads.load(_EMPTY, payload)
        return {"state": phones.status(phone)}

    @device.post("/remove")
    @signed(payloads.EmptyPayload, header=_BY_KID)
    @device.response(200, answers.StateAnswer)
    def remove() -> dict[str, str]:
        """Lock the mobile ID: its owner removes it from this phone."""
        phone, payload = door.caller(request)
        payloads.load(_EMPTY, payload)
        return {"state": phones.remove(phone)}


def _not_yet(pending: ResultPending) -> Response:
    response = jsonify(state=pending.step)
    response.status_code = 202
    response.headers["Retry-After"] = str(pending.retry_after)
    return response
