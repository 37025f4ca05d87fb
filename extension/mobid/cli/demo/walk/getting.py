"""Get with the QR code on the page: shown, scanned by a phone, approved by its user, issued by the CA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.cli.demo.checks import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mobid.cli.demo.walk.stage import Stage

GET: Final = "MobileIDSelfServiceProcGet"


def page_shows_code(stage: Stage) -> str:
    """The user starts Get, clicks Next, and sees a QR code."""
    stage.instance = stage.front_end.start(GET)
    return _show_code(stage)


def second_get_locks(stage: Stage) -> str:
    """The same user starts Get again, and is asked to lock the first mobile ID on the way."""
    stage.instance = stage.front_end.start(GET)
    before = stage.only_active()
    stage.instance = stage.front_end.act(stage.at("has_active"), "lock")
    stage.wait_until_locked(before)
    _show_code(stage)
    return f"mobile ID {before} is locked, and a new code is shown"


def phone_scans(stage: Stage) -> str:
    """A phone reads the picture, claims the code, and sends the requests for its keys."""
    stage.take_new_phone(str(stage.out / "qr.png"))
    number = stage.phone.hears("claimed")["number"]
    stage.phone.hears("keys_sent")
    stage.instance = stage.front_end.wait_for(stage.instance, step="approve")
    return f"the phone shows {number}"


def user_approves(stage: Stage) -> str:
    """The user picks the number that the phone shows, and clicks Next: the CA issues."""
    return approve(stage, number=str(stage.phone.hears("claimed")["number"]))


def approve(stage: Stage, **answer: str) -> str:
    """Approve the phone with this answer, and see the mobile ID become active."""
    stage.instance = stage.front_end.act(stage.at("approve"), "next", **answer)
    stage.phone.hears("active")
    stage.instance = stage.front_end.wait_for(stage.instance, step="done")
    mobile_id = stage.mobile_id(stage.instance["mobile_id"])
    stage.must_say(mobile_id, state="active", status="valid", ca_status="valid")
    stage.keep_certificates(mobile_id)
    return (
        f"mobile ID {mobile_id['id']} is active with {len(mobile_id['certificates'])} certificates"
    )


def certificates_hold(stage: Stage) -> str:
    """OpenSSL, the CRL and OCSP accept every certificate, and OpenSSL opens the phone's files."""
    stage.fetch_lists()
    certificates = stage.certificates[stage.instance["mobile_id"]]
    for certificate in certificates:
        stage.verifier.must_be_valid(certificate)
    for file in _pkcs12_files(stage, expected=len(certificates)):
        stage.verifier.must_open(file)
    return f"{len(certificates)} certificates: OpenSSL says OK, OCSP says good"


def _show_code(stage: Stage) -> str:
    stage.instance = stage.front_end.act(stage.at("confirm"), "next")
    picture = stage.out / "qr.png"
    picture.write_bytes(stage.front_end.picture(stage.at("qr")))
    return f"{picture}, good until {stage.instance['step']['data']['code_expires_at']}"


def _pkcs12_files(stage: Stage, *, expected: int) -> Sequence[Path]:
    files = sorted(stage.phone_folder.rglob("*.p12"))
    if len(files) != expected:
        raise CheckFailed(
            f"The phone was to store one PKCS #12 file per certificate; found {files}"
        )
    return files
