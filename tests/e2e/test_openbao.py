"""The product over a real OpenBao that comes and goes: what waits, what is told, what goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from examples.openbao.openbao_dev import DevServer
    from tests.e2e.conftest import Handset, OpenBaoSite

    from mobid.cli.demo.actors import FrontEnd

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
LONG: Final = 60.0


def approve(site: OpenBaoSite) -> tuple[FrontEnd, dict[str, Any], Handset]:
    """Let somebody get as far as the CA; return them, the run and the phone."""
    person, phone = site.person(), site.handset("Anna's phone")
    shown = person.act(person.start(GET), "next")
    claimed = phone.claim(shown["step"]["data"]["typed_code"])
    phone.keys()
    shown = person.wait_for(shown, step="approve")
    return person, person.act(shown, "next", number=str(claimed.said["number"])), phone


def words(site: OpenBaoSite, mobile_id: str) -> set[tuple[str, str]]:
    """Return our word and the CA's of each certificate."""
    shown = site.mobile_id(mobile_id)["certificates"]
    return {(one["status"], one["caStatus"]) for one in shown}


def test_what_is_begun_while_it_is_sealed_ends_when_it_is_unsealed(
    new_openbao: Callable[[], DevServer], new_openbao_site: Callable[[DevServer], OpenBaoSite]
) -> None:
    """A Get waits, a Lock is `locking` and not `locked`; then both end, and both records agree."""
    openbao = new_openbao()
    site = new_openbao_site(openbao)
    site.serve()
    owner, mobile_id = site.activate()
    openbao.seal()
    locking = owner.act(owner.start(LOCK, mobile_id=mobile_id), "next", reason="lost_or_stolen")
    person, creating, phone = approve(site)
    assert phone.result().status == 202
    assert site.mobile_id(mobile_id)["state"] == "locking"
    assert words(site, mobile_id) == {("revoked", "valid")}
    assert person.look(creating)["step"]["name"] == "creating"
    assert words(site, creating["mobile_id"]) == {("valid", "requested")}
    openbao.unseal()
    owner.wait_for(locking, step="done", seconds=LONG)
    site.finish(phone, seconds=LONG)
    assert words(site, mobile_id) == {("revoked", "revoked")}
    record = site.ca_record()
    ours = {
        one["serial"]: one["status"] for each in site.mobile_ids() for one in each["certificates"]
    }
    assert {serial: word for serial, (word, _) in record.items()} == ours


def test_a_revocation_in_openbao_is_found_by_the_command(
    openbao: DevServer, new_openbao_site: Callable[[DevServer], OpenBaoSite]
) -> None:
    """An operator revokes there, without a word to us; `mobid ca reconcile` asks, and the mobile ID ends."""
    site = new_openbao_site(openbao)
    site.serve()
    _, mobile_id = site.activate()
    site.revoke_behind_our_back(mobile_id)
    assert site.mobile_id(mobile_id)["state"] == "active"
    assert "certificates were asked for." in site.command("ca", "reconcile")
    site.until_locked(mobile_id)
    assert {word for word, _ in site.ca_record().values()} == {"revoked"}


def test_the_command_says_what_it_can_do(
    openbao: DevServer, new_openbao_site: Callable[[DevServer], OpenBaoSite]
) -> None:
    """No holds, and no reasons but none."""
    shown = new_openbao_site(openbao).command("ca", "show")
    assert "name: openbao" in shown
    assert "kinds: authentication, signature" in shown
    assert "holds: False" in shown
    assert "reasons: unspecified" in shown
