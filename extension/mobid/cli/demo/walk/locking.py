"""Lock, and what OpenSSL, the CRL and OCSP say of certificates after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mobid.cli.demo.walk.stage import Stage

LOCK: Final = "MobileIDSelfServiceProcLock"


def user_locks(stage: Stage) -> str:
    """The user locks the mobile ID that they have."""
    mobile_id = stage.only_active()
    stage.instance = stage.front_end.start(LOCK, mobile_id=mobile_id)
    stage.instance = stage.front_end.act(stage.at("confirm_lock"), "next", reason="lost_or_stolen")
    stage.instance = stage.front_end.wait_for(stage.instance, step="done")
    stage.wait_until_locked(mobile_id)
    return f"mobile ID {mobile_id} is locked"


def first_is_revoked(stage: Stage) -> str:
    """OpenSSL refuses every certificate of the first one; OCSP says revoked."""
    return _all_revoked(stage, next(iter(stage.certificates)))


def everything_is_revoked(stage: Stage) -> str:
    """OpenSSL refuses every certificate that was ever issued; OCSP says revoked."""
    return "; ".join(_all_revoked(stage, mobile_id) for mobile_id in stage.certificates)


def _all_revoked(stage: Stage, mobile_id: str) -> str:
    stage.fetch_lists()
    for certificate in stage.certificates[mobile_id]:
        stage.verifier.must_be_revoked(certificate)
    count = len(stage.certificates[mobile_id])
    return f"{count} certificates of {mobile_id}: the CRL and OCSP say revoked"
