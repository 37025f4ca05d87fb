"""Many at once: one winner, and everybody else is told so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING

from mobid.domain.enrolments import MAIL_CODE_TRIES
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import ProfileState
from mobid.processes.codes import code_hash, mail_code_hash
from mobid.processes.enrolment import Claimed
from mobid.processes.errors import BadMailCode, CodeNotUsable, StaleStep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.extension.processes.conftest import Person, Phone, Place

    from mobid.processes.views import InstanceView

PHONES = 16
ROUNDS = 100
"""On each of the two databases, so that there are two hundred races."""
MAIL_ROUNDS = 25
PATIENCE = 30
"""Seconds: longer than everything here takes, so that a deadlock fails and does not hang."""


class Race:
    """Makes calls at the same moment, on threads that stay for many rounds."""

    def __init__(self, size: int) -> None:
        self._barrier = Barrier(size)
        self._threads = ThreadPoolExecutor(size)

    def run(self, calls: Sequence[Callable[[], object]]) -> list[object]:
        """Return what each call answered, or what it was refused with."""
        return list(self._threads.map(self._call, calls, timeout=PATIENCE))

    def _call(self, call: Callable[[], object]) -> object:
        self._barrier.wait(timeout=PATIENCE)
        try:
            return call()
        except (BadMailCode, CodeNotUsable, StaleStep) as refusal:
            return refusal

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown()


class TestOneCode:
    """Sixteen phones scan the same code."""

    def test_has_one_winner_every_time(self, place: Place, anne: Person) -> None:
        """Each time one phone is bound, it is the one that was told so, and all others are refused."""
        view = anne.gets_to_qr()
        phones = [anne.phone() for _ in range(PHONES)]
        race = Race(PHONES)
        winners = [
            self.winner(place, view, phones, race, number) for number in range(2, 2 + ROUNDS)
        ]
        race.close()
        assert len(set(winners)) > 1
        assert place.audited(view.id).count("get.claim") == ROUNDS

    def winner(
        self, place: Place, view: InstanceView, phones: list[Phone], race: Race, number: int
    ) -> str:
        """Let all phones claim a fresh code; return which got it."""
        code = self.fresh_code(place, view, number)
        answers = race.run([partial(phone.claims, code) for phone in phones])
        (won,) = [at for at, answer in enumerate(answers) if isinstance(answer, Claimed)]
        assert sum(isinstance(answer, CodeNotUsable) for answer in answers) == PHONES - 1
        claim = place.enrolment(view.id).claim
        assert claim is not None
        assert claim.thumbprint == phones[won].thumbprint
        return claim.thumbprint

    def fresh_code(self, place: Place, view: InstanceView, number: int) -> str:
        """Renew the code, more often than a run allows it."""
        with place.units() as unit:
            unit.users.lock(view.user_id)
            enrolment = place.enrolment(view.id)
            token = place.parts.codes.token(enrolment.id, number)
            typed = place.parts.codes.typed(enrolment.id, number)
            unit.save(
                enrolment.renewed(
                    number=number,
                    token_hash=code_hash(token) or b"",
                    typed_code_hash=code_hash(typed) or b"",
                    expires_at=enrolment.code_expires_at,
                )
            )
            unit.commit()
        return token


class TestOneMailedLink:
    """Sixteen phones have the same mail, and not all of them the mail code."""

    def test_with_the_mail_code_has_one_winner_every_time(self, place: Place, anne: Person) -> None:
        """Tries are counted, so some may come too late; one of those that were counted is bound."""
        view = anne.gets_to_mail()
        race = Race(PHONES)
        for number in range(2, 2 + MAIL_ROUNDS):
            code, right = self.fresh_codes(place, view, number)
            phones = [anne.phone() for _ in range(PHONES)]
            answers = race.run([partial(phone.claims, code, right) for phone in phones])
            (won,) = [at for at, answer in enumerate(answers) if isinstance(answer, Claimed)]
            enrolment = place.enrolment(view.id)
            assert enrolment.claim is not None
            assert enrolment.claim.thumbprint == phones[won].thumbprint
            assert 1 <= enrolment.mail_code_tries <= MAIL_CODE_TRIES
        race.close()

    def test_never_binds_one_with_a_wrong_mail_code(self, place: Place, anne: Person) -> None:
        """Either the owner's phone was in time, or the guessers have killed the mail code."""
        view = anne.gets_to_mail()
        race = Race(PHONES)
        tries = 0
        for number in range(2, 2 + MAIL_ROUNDS):
            code, right = self.fresh_codes(place, view, number)
            phones = [anne.phone() for _ in range(PHONES)]
            said = [right if at == 0 else f"0000-{at:04}" for at in range(PHONES)]
            answers = race.run(
                [partial(phone.claims, code, one) for phone, one in zip(phones, said, strict=True)]
            )
            enrolment = place.enrolment(view.id)
            tries += enrolment.mail_code_tries
            assert not any(isinstance(answer, Claimed) for answer in answers[1:])
            if isinstance(answers[0], Claimed):
                assert enrolment.claim is not None
                assert enrolment.claim.thumbprint == phones[0].thumbprint
            else:
                assert (enrolment.claim, enrolment.tries_left) == (None, 0)
        race.close()
        assert place.audited(view.id).count("get.mail_code_try") == tries

    @staticmethod
    def fresh_codes(place: Place, view: InstanceView, number: int) -> tuple[str, str]:
        """Renew everything, more often than a run allows it; return token and mail code."""
        codes = place.parts.codes
        with place.units() as unit:
            unit.users.lock(view.user_id)
            enrolment = place.enrolment(view.id)
            token = codes.token(enrolment.id, number)
            mail_code = codes.mail_code(enrolment.id, number)
            renewed = enrolment.renewed(
                number=number,
                token_hash=code_hash(token) or b"",
                typed_code_hash=code_hash(codes.typed(enrolment.id, number)) or b"",
                expires_at=enrolment.code_expires_at,
            )
            ends = unit.now + place.times.mail_code
            hashed = mail_code_hash(mail_code)
            unit.save(renewed.with_mail_code(number=number, mail_code_hash=hashed, expires_at=ends))
            unit.commit()
        return token, mail_code


class TestTwoSides:
    """Two who act on the same run at the same moment."""

    def test_cancel_against_the_phones_confirmation(self, place: Place) -> None:
        """Either it is active and the click came too late, or it is cancelled and all is revoked."""
        race = Race(2)
        for _ in range(10):
            person = place.person()
            view, phone = person.gets_to_creating()
            cancelled, confirmed = race.run(
                [partial(person.clicks, "cancel", view), phone.confirms]
            )
            place.effects.later()
            state = place.profile(view.mobile_id).state
            if confirmed == ProfileState.ACTIVE:
                assert isinstance(cancelled, StaleStep)
                assert (state, place.in_ca(view.mobile_id)) == (ProfileState.ACTIVE, {"valid"})
            else:
                assert isinstance(confirmed, CodeNotUsable)
                assert state is ProfileState.CANCELLED
                assert place.in_ca(view.mobile_id) == {"revoked"}
        race.close()

    def test_sweeps_of_several_workers_end_each_run_and_mobile_id_once(self, place: Place) -> None:
        """What one sweep has ended is nothing to the others."""
        people = [place.person() for _ in range(4)]
        ids = [person.has_active()[0] for person in people]
        for person in people:
            person.starts_get()
        place.clock.now = place.end_of(ids[0])
        race = Race(4)
        ended = race.run([place.time_outs.end_instances] * 4)
        expired = race.run([place.time_outs.expire_mobile_ids] * 4)
        race.close()
        assert sum(one for one in ended if isinstance(one, int)) == 4
        assert sum(one for one in expired if isinstance(one, int)) == 4
        assert {place.profile(one).state for one in ids} == {ProfileState.EXPIRED}

    def test_sixteen_clicks_are_one(self, place: Place, anne: Person) -> None:
        """One is taken, all others are told that the run has moved on."""
        view = anne.starts_get()
        race = Race(PHONES)
        answers = race.run([lambda: anne.clicks("next", view)] * PHONES)
        race.close()
        assert sum(isinstance(answer, StaleStep) for answer in answers) == PHONES - 1
        assert anne.sees(view).step_name is StepName.QR
        assert place.audited(view.id).count("get.code") == 1

    def test_two_windows_start_one_get(self, place: Place, anne: Person) -> None:
        """The slot and the run are one per user, whoever is faster."""
        race = Race(8)
        started = race.run([lambda: place.runner.start_get(anne.caller)[0].id] * 8)
        race.close()
        assert len(set(started)) == 1
        assert place.audited(str(started[0])) == ["get.start"]

    def test_locks_at_once_are_one_lock(self, place: Place, anne: Person) -> None:
        """By clicks on the same page and by the phone: locked once, revoked once."""
        mobile_id, phone = anne.has_active()
        view = anne.starts_lock(mobile_id)
        race = Race(8)
        clicks: list[Callable[[], object]] = [lambda: anne.clicks("next", view)] * 7
        race.run([*clicks, lambda: place.phones.remove(phone.caller)])
        race.close()
        place.effects.later()
        assert place.audited(mobile_id).count("mobile_id.lock") == 1
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        assert anne.sees(view).state is InstanceState.COMPLETED
        assert place.in_ca(mobile_id) == {"revoked"}
