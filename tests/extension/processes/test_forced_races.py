"""Two who act on one run, forced: each pair in both orders, and the later one has seen the page of before.

At every step of Get and Lock each of its own actions meets every other one, itself, and whatever ends
it from outside. The second of a pair is held before its transaction, with all that it has read by
then, until the first is through. So there is one outcome of each, and `RACES` tells them all. What
happens while the CA is at work is in `test_forced_effects.py`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest
import sqlalchemy as sa

from mobid.app.errors import meaning_of
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import StepName
from mobid.domain.mobile_ids import LockReason
from mobid.processes.care import Care
from mobid.processes.cascades import email_changed
from mobid.processes.locking import lock_profile
from mobid.processes.views import InstanceView
from mobid.storage.tables import users

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from sqlalchemy import Engine
    from tests.conftest import Database, Turns
    from tests.extension.processes.conftest import Person, Phone, Place

    Move: TypeAlias = Callable[["Scene"], object]

IDM: Final = Actor(ActorKind.SCIM_CLIENT, "idm")
OLGA: Final = Actor(ActorKind.OPERATOR, "olga")
CODES: Final = {"get.code": 2}
"""The one that is shown, and one that *New code* makes: no two clicks make two."""
TICK: Final = timedelta(seconds=1)
SETTLED_AFTER: Final = timedelta(minutes=3)
"""Longer than an order without an answer may be on its way."""


@dataclass(slots=True)
class Scene:
    """A run at a step, with whoever is there."""

    place: Place
    person: Person
    view: InstanceView
    """The page, as everybody has seen it."""
    mobile_id: str | None
    """The mobile ID that this is about: the old one at *has_active* and in a Lock, else the new one."""
    phones: tuple[Phone, ...] = ()

    @property
    def phone(self) -> Phone:
        """The phone that has come this far."""
        return self.phones[0]


# --- steps --------------------------------------------------------------------------------------------


def has_active(place: Place) -> Scene:
    """A Get of somebody who has an active mobile ID."""
    person = place.person()
    mobile_id, phone = person.has_active()
    return Scene(place, person, person.starts_get(), mobile_id, (phone,))


def confirm(place: Place) -> Scene:
    """A Get at its beginning."""
    person = place.person()
    return Scene(place, person, person.starts_get(), None)


def code(place: Place) -> Scene:
    """A Get that shows its code to two phones."""
    person = place.person()
    view = person.gets_to_qr()
    return Scene(place, person, view, view.mobile_id, (person.phone(), person.phone()))


def mailed(place: Place) -> Scene:
    """A Get that waits for the reader of a mail."""
    person = place.person()
    view = person.gets_to_mail()
    return Scene(place, person, view, view.mobile_id)


def claimed(place: Place) -> Scene:
    """A Get whose phone makes its keys."""
    person = place.person()
    view = person.gets_to_qr()
    phone = person.phone()
    phone.scans(view)
    phone.csrs = {kind: phone.makes_csr() for kind in phone.claimed.kinds}
    return Scene(place, person, view, view.mobile_id, (phone,))


def approve(place: Place) -> Scene:
    """A Get that asks whether this is the user's phone."""
    person = place.person()
    view, phone = person.gets_to_approve()
    return Scene(place, person, view, view.mobile_id, (phone,))


def issued(place: Place) -> Scene:
    """A Get whose phone has fetched its certificates."""
    person = place.person()
    view, phone = person.gets_to_creating()
    return Scene(place, person, person.sees(view), view.mobile_id, (phone,))


def confirm_lock(place: Place) -> Scene:
    """A Lock that asks once more."""
    person = place.person()
    mobile_id, phone = person.has_active()
    return Scene(place, person, person.starts_lock(mobile_id), mobile_id, (phone,))


# --- moves --------------------------------------------------------------------------------------------


def clicks_next(scene: Scene) -> object:
    """The user clicks *Next*."""
    if scene.view.step_name is not StepName.APPROVE:
        return scene.person.clicks("next", scene.view)
    return scene.person.clicks("next", scene.view, number=str(scene.phone.claimed.number))


def clicks_lock(scene: Scene) -> object:
    """The user clicks *Lock* on the way to another one."""
    return scene.person.clicks("lock", scene.view)


def clicks_renew(scene: Scene) -> object:
    """The user clicks *New code*."""
    return scene.person.clicks("renew", scene.view)


def clicks_cancel(scene: Scene) -> object:
    """The user clicks *Cancel*."""
    return scene.person.clicks("cancel", scene.view)


def clicks_not_mine(scene: Scene) -> object:
    """The user says that this is not their phone."""
    return scene.person.clicks("not_mine", scene.view)


def phone_claims(scene: Scene) -> object:
    """A phone scans the code."""
    return scene.phone.scans(scene.view)


def other_phone_claims(scene: Scene) -> object:
    """Another phone scans the code."""
    return scene.phones[1].scans(scene.view)


def phone_sends_keys(scene: Scene) -> None:
    """The phone sends its keys."""
    scene.phone.sends_keys(scene.phone.csrs)


def phone_confirms(scene: Scene) -> object:
    """The phone confirms that it has installed every certificate."""
    return scene.phone.confirms()


def phone_removes(scene: Scene) -> object:
    """The user removes the mobile ID in the app."""
    return scene.place.phones.remove(scene.phone.caller)


def locks_in_another_tab(scene: Scene) -> object:
    """The user has the page of a Lock open, too, and goes on there."""
    view = scene.person.starts_lock(scene.mobile_id)
    return scene.person.clicks("next", view)


def client_locks(scene: Scene) -> None:
    """A SCIM client takes `active` to false, or deletes the mobile ID."""
    assert scene.mobile_id is not None
    with scene.place.units() as unit:
        unit.users.lock(scene.person.id)
        profile = unit.mobile_ids.get(scene.mobile_id)
        if profile.live:
            lock_profile(unit, profile, by=IDM, reason=LockReason.OTHER)
            unit.commit()


def operator_holds(scene: Scene) -> object:
    """An operator suspends the mobile ID."""
    assert scene.mobile_id is not None
    care = Care(scene.place.units, scene.place.settlement)
    return care.hold(scene.mobile_id, by=OLGA, why="To be looked at.")


def user_is_deactivated(scene: Scene) -> None:
    """The user is deactivated."""
    scene.person.deactivated()


def user_is_deleted(scene: Scene) -> None:
    """The user is deleted."""
    scene.person.deleted()


def email_changes(scene: Scene) -> None:
    """A SCIM client gives the user another address."""
    with scene.place.units() as unit:
        old = unit.users.lock(scene.person.id)
        change = sa.update(users).where(users.c.id == old.id).values(email="anna@example.net")
        unit.connection.execute(change)
        email_changed(unit, unit.users.get(old.id), old.email, by=IDM)
        unit.commit()


# --- the table ----------------------------------------------------------------------------------------

OWN: Final[Mapping[Callable[[Place], Scene], tuple[Move, ...]]] = {
    has_active: (clicks_lock, clicks_cancel),
    confirm: (clicks_next, clicks_cancel),
    code: (clicks_renew, clicks_cancel, phone_claims),
    mailed: (clicks_renew, clicks_cancel),
    claimed: (phone_sends_keys, clicks_renew, clicks_cancel),
    approve: (clicks_next, clicks_not_mine, clicks_cancel),
    issued: (phone_confirms, clicks_cancel),
    confirm_lock: (clicks_next, clicks_cancel),
}
"""What can be done at a step by its user and their phones."""
ENDS_IT: Final[tuple[Move, ...]] = (client_locks, user_is_deactivated, user_is_deleted)
OUTSIDE: Final[Mapping[Callable[[Place], Scene], tuple[Move, ...]]] = {
    has_active: (*ENDS_IT, phone_removes, operator_holds, locks_in_another_tab),
    confirm: ENDS_IT[1:],
    code: (*ENDS_IT, other_phone_claims),
    mailed: (*ENDS_IT, email_changes),
    claimed: (*ENDS_IT, phone_removes),
    approve: (*ENDS_IT, phone_removes, email_changes),
    issued: (*ENDS_IT, phone_removes),
    confirm_lock: (*ENDS_IT, phone_removes, operator_holds),
}
"""What can be done to it from outside."""

RACES: Final = """
has_active   clicks_lock          clicks_lock          409 STALE_STEP > confirm locked revoked
has_active   clicks_lock          clicks_cancel        409 STALE_STEP > confirm locked revoked
has_active   clicks_cancel        clicks_lock          409 STALE_STEP > cancelled active valid
has_active   clicks_cancel        clicks_cancel        409 STALE_STEP > cancelled active valid
has_active   clicks_lock          client_locks         ok > confirm locked revoked
has_active   clicks_lock          user_is_deactivated  ok > USER_NOT_ACTIVE locked revoked
has_active   clicks_lock          user_is_deleted      ok > USER_NOT_ACTIVE locked revoked
has_active   clicks_lock          phone_removes        ok > confirm locked revoked
has_active   clicks_lock          operator_holds       409 ILLEGAL_TRANSITION > confirm locked revoked
has_active   clicks_lock          locks_in_another_tab 409 MOBILE_ID_NOT_ACTIVE > confirm locked revoked
has_active   clicks_cancel        client_locks         ok > cancelled locked revoked
has_active   clicks_cancel        user_is_deactivated  ok > cancelled inactive held
has_active   clicks_cancel        user_is_deleted      ok > cancelled locked revoked
has_active   clicks_cancel        phone_removes        ok > cancelled locked revoked
has_active   clicks_cancel        operator_holds       ok > cancelled inactive held
has_active   clicks_cancel        locks_in_another_tab done > cancelled locked revoked
has_active   client_locks         clicks_lock          409 STALE_STEP > confirm locked revoked
has_active   user_is_deactivated  clicks_lock          409 STALE_STEP > USER_NOT_ACTIVE inactive held
has_active   user_is_deleted      clicks_lock          409 STALE_STEP > USER_NOT_ACTIVE locked revoked
has_active   phone_removes        clicks_lock          409 STALE_STEP > confirm locked revoked
has_active   operator_holds       clicks_lock          409 STALE_STEP > MOBILE_ID_SUSPENDED inactive held
has_active   locks_in_another_tab clicks_lock          409 STALE_STEP > confirm locked revoked
has_active   client_locks         clicks_cancel        409 STALE_STEP > confirm locked revoked
has_active   user_is_deactivated  clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE inactive held
has_active   user_is_deleted      clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE locked revoked
has_active   phone_removes        clicks_cancel        409 STALE_STEP > confirm locked revoked
has_active   operator_holds       clicks_cancel        409 STALE_STEP > MOBILE_ID_SUSPENDED inactive held
has_active   locks_in_another_tab clicks_cancel        409 STALE_STEP > confirm locked revoked
confirm      clicks_next          clicks_next          409 STALE_STEP > qr pending
confirm      clicks_next          clicks_cancel        409 STALE_STEP > qr pending
confirm      clicks_cancel        clicks_next          409 STALE_STEP > cancelled
confirm      clicks_cancel        clicks_cancel        409 STALE_STEP > cancelled
confirm      clicks_next          user_is_deactivated  ok > USER_NOT_ACTIVE failed
confirm      clicks_next          user_is_deleted      ok > USER_NOT_ACTIVE failed
confirm      clicks_cancel        user_is_deactivated  ok > cancelled
confirm      clicks_cancel        user_is_deleted      ok > cancelled
confirm      user_is_deactivated  clicks_next          409 STALE_STEP > USER_NOT_ACTIVE
confirm      user_is_deleted      clicks_next          409 STALE_STEP > USER_NOT_ACTIVE
confirm      user_is_deactivated  clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE
confirm      user_is_deleted      clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE
code         clicks_renew         clicks_renew         409 STALE_STEP > qr pending
code         clicks_renew         clicks_cancel        409 STALE_STEP > qr pending
code         clicks_renew         phone_claims         410 CODE_NOT_USABLE > qr pending
code         clicks_cancel        clicks_renew         409 STALE_STEP > cancelled cancelled
code         clicks_cancel        clicks_cancel        409 STALE_STEP > cancelled cancelled
code         clicks_cancel        phone_claims         410 CODE_NOT_USABLE > cancelled cancelled
code         phone_claims         clicks_renew         qr > qr pending
code         phone_claims         clicks_cancel        failed > cancelled cancelled
code         phone_claims         phone_claims         ok > qr pending
code         clicks_renew         client_locks         ok > cancelled cancelled
code         clicks_renew         user_is_deactivated  ok > USER_NOT_ACTIVE failed
code         clicks_renew         user_is_deleted      ok > USER_NOT_ACTIVE failed
code         clicks_renew         other_phone_claims   410 CODE_NOT_USABLE > qr pending
code         clicks_cancel        client_locks         ok > cancelled cancelled
code         clicks_cancel        user_is_deactivated  ok > cancelled cancelled
code         clicks_cancel        user_is_deleted      ok > cancelled cancelled
code         clicks_cancel        other_phone_claims   410 CODE_NOT_USABLE > cancelled cancelled
code         phone_claims         client_locks         ok > cancelled cancelled
code         phone_claims         user_is_deactivated  ok > USER_NOT_ACTIVE failed
code         phone_claims         user_is_deleted      ok > USER_NOT_ACTIVE failed
code         phone_claims         other_phone_claims   410 CODE_NOT_USABLE > qr pending
code         client_locks         clicks_renew         409 STALE_STEP > cancelled cancelled
code         user_is_deactivated  clicks_renew         409 STALE_STEP > USER_NOT_ACTIVE failed
code         user_is_deleted      clicks_renew         409 STALE_STEP > USER_NOT_ACTIVE failed
code         other_phone_claims   clicks_renew         qr > qr pending
code         client_locks         clicks_cancel        409 STALE_STEP > cancelled cancelled
code         user_is_deactivated  clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed
code         user_is_deleted      clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed
code         other_phone_claims   clicks_cancel        failed > cancelled cancelled
code         client_locks         phone_claims         410 CODE_NOT_USABLE > cancelled cancelled
code         user_is_deactivated  phone_claims         410 CODE_NOT_USABLE > USER_NOT_ACTIVE failed
code         user_is_deleted      phone_claims         410 CODE_NOT_USABLE > USER_NOT_ACTIVE failed
code         other_phone_claims   phone_claims         410 CODE_NOT_USABLE > qr pending
mailed       clicks_renew         clicks_renew         409 STALE_STEP > mail pending
mailed       clicks_renew         clicks_cancel        409 STALE_STEP > mail pending
mailed       clicks_cancel        clicks_renew         409 STALE_STEP > cancelled cancelled
mailed       clicks_cancel        clicks_cancel        409 STALE_STEP > cancelled cancelled
mailed       clicks_renew         client_locks         ok > cancelled cancelled
mailed       clicks_renew         user_is_deactivated  ok > USER_NOT_ACTIVE failed
mailed       clicks_renew         user_is_deleted      ok > USER_NOT_ACTIVE failed
mailed       clicks_renew         email_changes        ok > confirm pending
mailed       clicks_cancel        client_locks         ok > cancelled cancelled
mailed       clicks_cancel        user_is_deactivated  ok > cancelled cancelled
mailed       clicks_cancel        user_is_deleted      ok > cancelled cancelled
mailed       clicks_cancel        email_changes        ok > cancelled cancelled
mailed       client_locks         clicks_renew         409 STALE_STEP > cancelled cancelled
mailed       user_is_deactivated  clicks_renew         409 STALE_STEP > USER_NOT_ACTIVE failed
mailed       user_is_deleted      clicks_renew         409 STALE_STEP > USER_NOT_ACTIVE failed
mailed       email_changes        clicks_renew         409 STALE_STEP > confirm pending
mailed       client_locks         clicks_cancel        409 STALE_STEP > cancelled cancelled
mailed       user_is_deactivated  clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed
mailed       user_is_deleted      clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed
mailed       email_changes        clicks_cancel        409 STALE_STEP > confirm pending
claimed      phone_sends_keys     phone_sends_keys     ok > approve pending
claimed      phone_sends_keys     clicks_renew         409 STALE_STEP > approve pending
claimed      phone_sends_keys     clicks_cancel        409 STALE_STEP > approve pending
claimed      clicks_renew         phone_sends_keys     410 CODE_NOT_USABLE > qr pending
claimed      clicks_renew         clicks_renew         409 STALE_STEP > qr pending
claimed      clicks_renew         clicks_cancel        409 STALE_STEP > qr pending
claimed      clicks_cancel        phone_sends_keys     410 CODE_NOT_USABLE > cancelled cancelled
claimed      clicks_cancel        clicks_renew         409 STALE_STEP > cancelled cancelled
claimed      clicks_cancel        clicks_cancel        409 STALE_STEP > cancelled cancelled
claimed      phone_sends_keys     client_locks         ok > cancelled cancelled
claimed      phone_sends_keys     user_is_deactivated  ok > USER_NOT_ACTIVE failed
claimed      phone_sends_keys     user_is_deleted      ok > USER_NOT_ACTIVE failed
claimed      phone_sends_keys     phone_removes        ok > cancelled cancelled
claimed      clicks_renew         client_locks         ok > cancelled cancelled
claimed      clicks_renew         user_is_deactivated  ok > USER_NOT_ACTIVE failed
claimed      clicks_renew         user_is_deleted      ok > USER_NOT_ACTIVE failed
claimed      clicks_renew         phone_removes        410 CODE_NOT_USABLE > qr pending
claimed      clicks_cancel        client_locks         ok > cancelled cancelled
claimed      clicks_cancel        user_is_deactivated  ok > cancelled cancelled
claimed      clicks_cancel        user_is_deleted      ok > cancelled cancelled
claimed      clicks_cancel        phone_removes        ok > cancelled cancelled
claimed      client_locks         phone_sends_keys     410 CODE_NOT_USABLE > cancelled cancelled
claimed      user_is_deactivated  phone_sends_keys     410 CODE_NOT_USABLE > USER_NOT_ACTIVE failed
claimed      user_is_deleted      phone_sends_keys     410 CODE_NOT_USABLE > USER_NOT_ACTIVE failed
claimed      phone_removes        phone_sends_keys     410 CODE_NOT_USABLE > cancelled cancelled
claimed      client_locks         clicks_renew         409 STALE_STEP > cancelled cancelled
claimed      user_is_deactivated  clicks_renew         409 STALE_STEP > USER_NOT_ACTIVE failed
claimed      user_is_deleted      clicks_renew         409 STALE_STEP > USER_NOT_ACTIVE failed
claimed      phone_removes        clicks_renew         409 STALE_STEP > cancelled cancelled
claimed      client_locks         clicks_cancel        409 STALE_STEP > cancelled cancelled
claimed      user_is_deactivated  clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed
claimed      user_is_deleted      clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed
claimed      phone_removes        clicks_cancel        409 STALE_STEP > cancelled cancelled
approve      clicks_next          clicks_next          409 STALE_STEP > creating pending valid
approve      clicks_next          clicks_not_mine      409 STALE_STEP > creating pending valid
approve      clicks_next          clicks_cancel        409 STALE_STEP > creating pending valid
approve      clicks_not_mine      clicks_next          409 STALE_STEP > NOT_MINE cancelled
approve      clicks_not_mine      clicks_not_mine      409 STALE_STEP > NOT_MINE cancelled
approve      clicks_not_mine      clicks_cancel        409 STALE_STEP > NOT_MINE cancelled
approve      clicks_cancel        clicks_next          409 STALE_STEP > cancelled cancelled
approve      clicks_cancel        clicks_not_mine      409 STALE_STEP > cancelled cancelled
approve      clicks_cancel        clicks_cancel        409 STALE_STEP > cancelled cancelled
approve      clicks_next          client_locks         ok > cancelled cancelled revoked
approve      clicks_next          user_is_deactivated  ok > USER_NOT_ACTIVE failed revoked
approve      clicks_next          user_is_deleted      ok > USER_NOT_ACTIVE failed revoked
approve      clicks_next          phone_removes        ok > cancelled cancelled revoked
approve      clicks_next          email_changes        ok > creating pending valid
approve      clicks_not_mine      client_locks         ok > NOT_MINE cancelled
approve      clicks_not_mine      user_is_deactivated  ok > NOT_MINE cancelled
approve      clicks_not_mine      user_is_deleted      ok > NOT_MINE cancelled
approve      clicks_not_mine      phone_removes        ok > NOT_MINE cancelled
approve      clicks_not_mine      email_changes        ok > NOT_MINE cancelled
approve      clicks_cancel        client_locks         ok > cancelled cancelled
approve      clicks_cancel        user_is_deactivated  ok > cancelled cancelled
approve      clicks_cancel        user_is_deleted      ok > cancelled cancelled
approve      clicks_cancel        phone_removes        ok > cancelled cancelled
approve      clicks_cancel        email_changes        ok > cancelled cancelled
approve      client_locks         clicks_next          409 STALE_STEP > cancelled cancelled
approve      user_is_deactivated  clicks_next          409 STALE_STEP > USER_NOT_ACTIVE failed
approve      user_is_deleted      clicks_next          409 STALE_STEP > USER_NOT_ACTIVE failed
approve      phone_removes        clicks_next          409 STALE_STEP > cancelled cancelled
approve      email_changes        clicks_next          409 STALE_STEP > confirm pending
approve      client_locks         clicks_not_mine      409 STALE_STEP > cancelled cancelled
approve      user_is_deactivated  clicks_not_mine      409 STALE_STEP > USER_NOT_ACTIVE failed
approve      user_is_deleted      clicks_not_mine      409 STALE_STEP > USER_NOT_ACTIVE failed
approve      phone_removes        clicks_not_mine      409 STALE_STEP > cancelled cancelled
approve      email_changes        clicks_not_mine      409 STALE_STEP > confirm pending
approve      client_locks         clicks_cancel        409 STALE_STEP > cancelled cancelled
approve      user_is_deactivated  clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed
approve      user_is_deleted      clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed
approve      phone_removes        clicks_cancel        409 STALE_STEP > cancelled cancelled
approve      email_changes        clicks_cancel        409 STALE_STEP > confirm pending
issued       phone_confirms       phone_confirms       ok > completed active valid
issued       phone_confirms       clicks_cancel        409 STALE_STEP > completed active valid
issued       clicks_cancel        phone_confirms       410 CODE_NOT_USABLE > cancelled cancelled revoked
issued       clicks_cancel        clicks_cancel        409 STALE_STEP > cancelled cancelled revoked
issued       phone_confirms       client_locks         ok > completed locked revoked
issued       phone_confirms       user_is_deactivated  ok > completed inactive held
issued       phone_confirms       user_is_deleted      ok > completed locked revoked
issued       phone_confirms       phone_removes        ok > completed locked revoked
issued       clicks_cancel        client_locks         ok > cancelled cancelled revoked
issued       clicks_cancel        user_is_deactivated  ok > cancelled cancelled revoked
issued       clicks_cancel        user_is_deleted      ok > cancelled cancelled revoked
issued       clicks_cancel        phone_removes        ok > cancelled cancelled revoked
issued       client_locks         phone_confirms       410 CODE_NOT_USABLE > cancelled cancelled revoked
issued       user_is_deactivated  phone_confirms       410 CODE_NOT_USABLE > USER_NOT_ACTIVE failed revoked
issued       user_is_deleted      phone_confirms       410 CODE_NOT_USABLE > USER_NOT_ACTIVE failed revoked
issued       phone_removes        phone_confirms       410 CODE_NOT_USABLE > cancelled cancelled revoked
issued       client_locks         clicks_cancel        409 STALE_STEP > cancelled cancelled revoked
issued       user_is_deactivated  clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed revoked
issued       user_is_deleted      clicks_cancel        409 STALE_STEP > USER_NOT_ACTIVE failed revoked
issued       phone_removes        clicks_cancel        409 STALE_STEP > cancelled cancelled revoked
confirm_lock clicks_next          clicks_next          409 STALE_STEP > completed locked revoked
confirm_lock clicks_next          clicks_cancel        409 STALE_STEP > completed locked revoked
confirm_lock clicks_cancel        clicks_next          409 STALE_STEP > cancelled active valid
confirm_lock clicks_cancel        clicks_cancel        409 STALE_STEP > cancelled active valid
confirm_lock clicks_next          client_locks         ok > completed locked revoked
confirm_lock clicks_next          user_is_deactivated  ok > completed locked revoked
confirm_lock clicks_next          user_is_deleted      ok > completed locked revoked
confirm_lock clicks_next          phone_removes        ok > completed locked revoked
confirm_lock clicks_next          operator_holds       409 ILLEGAL_TRANSITION > completed locked revoked
confirm_lock clicks_cancel        client_locks         ok > cancelled locked revoked
confirm_lock clicks_cancel        user_is_deactivated  ok > cancelled inactive held
confirm_lock clicks_cancel        user_is_deleted      ok > cancelled locked revoked
confirm_lock clicks_cancel        phone_removes        ok > cancelled locked revoked
confirm_lock clicks_cancel        operator_holds       ok > cancelled inactive held
confirm_lock client_locks         clicks_next          409 STALE_STEP > completed locked revoked
confirm_lock user_is_deactivated  clicks_next          409 MOBILE_ID_NOT_ACTIVE > confirm_lock inactive held
confirm_lock user_is_deleted      clicks_next          409 STALE_STEP > completed locked revoked
confirm_lock phone_removes        clicks_next          409 STALE_STEP > completed locked revoked
confirm_lock operator_holds       clicks_next          409 MOBILE_ID_NOT_ACTIVE > confirm_lock inactive held
confirm_lock client_locks         clicks_cancel        409 STALE_STEP > completed locked revoked
confirm_lock user_is_deactivated  clicks_cancel        failed > cancelled inactive held
confirm_lock user_is_deleted      clicks_cancel        409 STALE_STEP > completed locked revoked
confirm_lock phone_removes        clicks_cancel        409 STALE_STEP > completed locked revoked
confirm_lock operator_holds       clicks_cancel        failed > cancelled inactive held
"""
"""At a step: who is first, who is second, what the second is answered, and what it comes to.

`ok` is an answer without a step: a phone's or a client's that got what it asked for.
"""


def races_at(step: Callable[[Place], Scene]) -> list[tuple[Move, Move]]:
    """Return every pair of a step in both orders, and each move against itself."""
    own, outside = OWN[step], OUTSIDE[step]
    among = [(one, other) for one in own for other in own]
    across = [(one, other) for one in own for other in outside]
    return [*among, *across, *((other, one) for one, other in across)]


def row(step: Callable[[Place], Scene], first: Move, second: Move, outcome: str) -> str:
    """Return a race as the table tells it."""
    names = (step.__name__, first.__name__, second.__name__)
    return f"{names[0]:12} {names[1]:20} {names[2]:20} {outcome}"


def attempt(move: Move, scene: Scene) -> object:
    """Return what a move was answered, or what it was refused with."""
    try:
        return move(scene)
    except Exception as refusal:  # noqa: BLE001  # whatever it is, the table says what it must be
        return refusal


def told(outcome: object) -> str:
    """Return an answer as HTTP tells it."""
    match outcome:
        case InstanceView():
            return outcome.step_name.value
        case AssertionError():
            raise outcome
        case Exception():
            meaning = meaning_of(outcome)
            return f"{meaning.status} {meaning.code}" if meaning else repr(outcome)
    return "ok"


def comes_to(scene: Scene) -> str:
    """Return what has become of the run and the mobile ID, once the CA has done all that is wanted."""
    place = scene.place
    place.clock.pass_by(SETTLED_AFTER)
    for _ in range(3):
        place.effects.later()
    assert place.effects.wanting() == []
    run = place.instance(scene.view.id)
    words = [run.step.value if run.running else run.error or run.state.value]
    mobile_id = scene.mobile_id or run.mobile_id
    if mobile_id is not None:
        words += [place.profile(mobile_id).state.value, *sorted(place.in_ca(mobile_id))]
        assert {word for _, word in place.voices(mobile_id)} == place.in_ca(mobile_id)
    return " ".join(words)


def happened_once(scene: Scene) -> None:
    """Nothing has ended or locked twice, and nobody was told anything twice."""
    place = scene.place
    for thing in filter(None, (scene.view.id, scene.mobile_id)):
        audited = Counter(place.audited(thing))
        assert not audited - Counter(dict.fromkeys(audited, 1) | CODES), audited
    told_once = [letter.id for letter in place.post.letters]
    assert len(told_once) == len(set(told_once))


@pytest.mark.parametrize("step", OWN, ids=lambda step: step.__name__)
def test_every_pair_at_a_step_has_one_outcome(
    place: Place,
    database: Database,
    turns_on: Callable[[Engine], Turns],
    step: Callable[[Place], Scene],
) -> None:
    """The first wins; the second is told where the run is now, or acts on what the first has left."""
    turns = turns_on(database.engine)
    rows = []
    for first, second in races_at(step):
        scene = step(place)
        with turns.held(partial(attempt, second, scene)) as late:
            assert late.came, f"{second.__name__} did not come to its transaction."
            place.clock.pass_by(TICK)
            refused = attempt(first, scene)
            assert not isinstance(refused, Exception), refused
            place.clock.pass_by(TICK)
        rows.append(row(step, first, second, f"{told(late.outcome)} > {comes_to(scene)}"))
        happened_once(scene)
    assert rows == [one for one in RACES.strip().splitlines() if one.split()[0] == step.__name__]
