"""The work of mails: sent once or dropped for good, never a dead code, and never lost in between."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mails import MailEvent
from mobid.domain.mobile_ids import ProfileState
from mobid.processes.codes import Codes
from mobid.processes.mail_work import MailWork
from mobid.processes.mailing import MailUnavailable
from mobid.storage.tables import audit_events, enrolments, mails

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

    from mobid.domain.mails import Mail
    from mobid.processes.views import InstanceView


def stored(place: Place, view: InstanceView, number: int = 1) -> Mail:
    """Return the mail of a code as it is stored."""
    with place.units.reading() as unit:
        found = unit.mails.find(MailEvent.QR_CODE, view.id, number)
    assert found is not None
    return found


def ordered_in_vain(place: Place, anne: Person) -> InstanceView:
    """Go on at *confirm* although no mail will leave."""
    place.activate('options.qr_location = "email"')
    return anne.clicks("next", anne.starts_get())


def unsent(place: Place, anne: Person) -> InstanceView:
    """Come to a code whose mail nobody has tried to send yet."""
    with place.crash():
        return anne.gets_to_mail()


class TestSending:
    """A letter leaves, and then that is stored."""

    def test_is_stored_and_audited(self, place: Place, anne: Person) -> None:
        """With the address masked: the log is no directory."""
        mail = stored(place, anne.gets_to_mail())
        assert mail.sent_at == place.clock()
        assert not mail.work.wanted
        query = sa.select(audit_events).where(audit_events.c.object_id == mail.id)
        with place.transactions.reading() as connection:
            (event,) = connection.execute(query).all()
        assert event.action == "mail.sent"
        assert "a•••@example.org" in event.record.decode()
        assert b"anne@example.org" not in event.record

    def test_no_row_holds_a_secret(self, place: Place, anne: Person) -> None:
        """What a letter encloses is derived again when it is sent, and nowhere stored."""
        view = anne.gets_to_mail()
        enclosed = place.post.last("qr_code").enclosed
        assert enclosed is not None
        token = enclosed.link.partition("#1.")[2]
        assert re.fullmatch(r"https://id\.example\.org/e#1\.[A-Za-z0-9_-]{43}", enclosed.link)
        assert enclosed.picture == enclosed.link.encode()
        secrets = (token, enclosed.typed_code, str(view.step.data["mail_code"]))
        with place.transactions.reading() as connection:
            rows = [
                str(row)
                for table in (mails, enrolments, audit_events)
                for row in connection.execute(sa.select(table))
            ]
        assert rows
        assert not [row for row in rows for secret in secrets if secret in row]
        assert not [secret for secret in secrets if secret in repr(enclosed)]

    def test_what_the_letter_with_the_code_says(self, place: Place, anne: Person) -> None:
        """Whose it is, where its page is, and until when it can be used."""
        view = anne.gets_to_mail()
        assert place.post.last("qr_code").values == {
            "name": "Änne Example",
            "server_name": "Mobile ID",
            "url": f"https://id.example.org/instances/{view.id}",
            "at": place.clock(),
            "profile_name": "MobileID Änne Example",
            "device": "",
            "expires_at": place.clock() + timedelta(hours=24),
        }

    def test_again_is_nothing(self, place: Place, anne: Person) -> None:
        """A doubled job does no harm."""
        mail = stored(place, anne.gets_to_mail())
        place.mail_work(mail.id)
        assert place.post.told() == ["qr_code"]


class TestCrash:
    """The process dies at the worst moment."""

    def test_before_the_first_try(self, place: Place, anne: Person) -> None:
        """The row wants work, and whoever finds it sends it."""
        view = unsent(place, anne)
        assert stored(place, view).work.wanted
        place.effects.later()
        assert place.post.told() == ["qr_code"]

    def test_between_sending_and_storing_sends_the_same_letter_again(
        self, place: Place, anne: Person
    ) -> None:
        """It goes twice under one Message-ID, so that mail programs show it once: said honestly."""
        place.post.loses_answers = True
        view = anne.gets_to_mail()
        assert view.step.data["mail_state"] == "sending"
        place.post.loses_answers = False
        place.effects.later()
        first, second = place.post.letters
        assert first == second
        assert first.id == stored(place, view).id
        assert anne.sees(view).step.data["mail_state"] == "sent"


class TestADeadCode:
    """It is never sent: its reader would try it in vain."""

    def test_of_a_run_that_has_ended(self, place: Place, anne: Person) -> None:
        """Cancelled before the mail server was up again."""
        view = unsent(place, anne)
        with place.crash():
            anne.clicks("cancel", view)
        place.effects.later()
        assert place.post.letters == []
        assert stored(place, view).dropped == "the code is no longer valid"

    def test_that_was_renewed(self, place: Place, anne: Person) -> None:
        """Only the newest mail leaves."""
        view = unsent(place, anne)
        place.clock.pass_by(timedelta(minutes=1))
        with place.crash():
            anne.clicks("renew", view, what="mail")
        place.effects.later()
        (letter,) = place.post.letters
        assert letter.id == stored(place, view, 2).id
        assert stored(place, view).dropped == "the code is no longer valid"
        assert anne.sees(view).step.data["mail_state"] == "sent"

    def test_that_was_burnt(self, place: Place, anne: Person) -> None:
        """Whatever burnt it."""
        view = unsent(place, anne)
        with place.units() as unit:
            unit.users.lock(anne.id)
            unit.save(place.enrolment(view.id).close())
            unit.commit()
        place.effects.later()
        assert place.post.letters == []
        assert anne.sees(view).step_name is StepName.MAIL

    def test_to_an_address_that_has_changed(self, place: Place, anne: Person) -> None:
        """Somebody else may read there now."""
        view = unsent(place, anne)
        place.change(anne, email="other@example.org")
        place.effects.later()
        assert place.post.letters == []
        assert stored(place, view).dropped == "its reader has another address now"

    def test_is_dropped_with_audit_and_log(self, place: Place, anne: Person) -> None:
        """Somebody must be able to learn why no mail came."""
        view = unsent(place, anne)
        with place.crash():
            anne.clicks("cancel", view)
        with capture_logs() as logs:
            place.effects.later()
        mail = stored(place, view)
        assert place.audited(mail.id) == ["mail.dropped"]
        (line,) = [line for line in logs if line["event"] == "mail_dropped"]
        assert line["reason"] == "the code is no longer valid"
        assert "anne@example.org" not in str(logs)


class TestRefused:
    """The mail server will never take it."""

    def test_the_get_fails_whose_code_it_was(self, place: Place, anne: Person) -> None:
        """Nothing can go on, and its user hears so on the page."""
        place.post.refuses = "The mail server mail.example.org refused its recipient (550)."
        view = ordered_in_vain(place, anne)
        assert view.state is InstanceState.FAILED
        assert view.error is not None
        assert view.error.code == "QR_NOT_DELIVERED"
        assert str(view.error.text).startswith("The mail with your code could not be delivered.")
        assert place.profile(view.mobile_id).state is ProfileState.FAILED
        assert stored(place, view).dropped == place.post.refuses

    def test_another_letter_only_is_dropped(self, place: Place, anne: Person) -> None:
        """Nobody's mobile ID depends on hearing of it."""
        view = anne.starts_get()
        place.post.refuses = "No."
        mobile_id, _ = anne.finishes(view)
        assert place.profile(mobile_id).state is ProfileState.ACTIVE
        assert place.effects.wanting() == []

    def test_a_renewed_code_goes_on(self, place: Place, anne: Person) -> None:
        """The refusal of an earlier mail, heard late, is not the end of the newer one."""
        view = unsent(place, anne)
        place.post.refuses = "No."

        def renews() -> None:
            place.post.refuses = ""
            place.clock.pass_by(timedelta(minutes=1))
            anne.clicks("renew", view, what="mail")
            place.post.refuses = "No."

        place.post.meanwhile = renews
        place.mail_work(stored(place, view).id)
        assert anne.sees(view).step_name is StepName.MAIL
        assert stored(place, view).dropped == "No."


class TestSilent:
    """The mail server does not answer."""

    def test_is_tried_again_until_it_does(self, place: Place, anne: Person) -> None:
        """The same letter, whenever that is."""
        place.post.silent = True
        view = anne.gets_to_mail()
        for _ in range(3):
            place.clock.pass_by(timedelta(hours=6))
            place.effects.later()
        assert all(isinstance(error, MailUnavailable) for error in place.effects.errors)
        assert len(place.effects.errors) == 4
        place.post.silent = False
        place.effects.later()
        assert place.post.told() == ["qr_code"]
        assert anne.sees(view).step.data["mail_state"] == "sent"

    def test_is_given_up_when_the_link_has_lapsed(self, place: Place, anne: Person) -> None:
        """Then the Get fails, and says why."""
        place.post.silent = True
        view = anne.gets_to_mail()
        place.clock.pass_by(timedelta(hours=24))
        place.effects.later()
        ended = anne.sees(view)
        assert ended.error is not None
        assert ended.error.code == "QR_NOT_DELIVERED"
        assert stored(place, view).dropped == "it could not be delivered in time"

    def test_a_notification_is_given_up_after_three_days(self, place: Place, anne: Person) -> None:
        """By then its reader has seen it for themselves, and may have done something else since."""
        place.post.silent = True
        anne.clicks("not_mine", anne.gets_to_approve()[0])
        place.clock.pass_by(timedelta(days=3) - timedelta(seconds=1))
        place.effects.later()
        assert [kind for kind, _ in place.effects.wanting()] == ["mail"]
        place.clock.pass_by(timedelta(seconds=1))
        place.effects.later()
        assert place.effects.wanting() == []
        assert place.post.letters == []

    def test_for_as_long_as_the_settings_say(self, place: Place, anne: Person) -> None:
        """It is one of the times."""
        place.post.silent = True
        anne.clicks("not_mine", anne.gets_to_approve()[0])
        place.clock.pass_by(timedelta(hours=1))
        (_, mail_id) = place.effects.wanting()[0]
        work = MailWork(
            place.units,
            place.post,
            Codes(bytes(32)),
            str.encode,
            "https://id.example.org",
            notification=timedelta(hours=1),
        )
        work(mail_id)
        assert place.audited(mail_id) == ["mail.dropped"]


class TestASiteWithoutAMailServer:
    """Nobody is told, and nobody waits for it."""

    @pytest.fixture(autouse=True)
    def no_mailer(self, place: Place) -> None:
        """Take the mail server away."""
        place.effects.handlers["mail"] = MailWork(
            place.units, None, Codes(bytes(32)), str.encode, "https://id.example.org"
        )

    def test_drops_what_is_to_be_told(self, place: Place, anne: Person) -> None:
        """The row says why."""
        view, _ = anne.gets_to_approve()
        anne.clicks("not_mine", view)
        with place.units.reading() as unit:
            mail = unit.mails.find(MailEvent.NOT_MINE, view.id, 1)
        assert mail is not None
        assert mail.dropped == "no mail server is configured"
        assert not mail.work.wanted

    def test_fails_a_get_whose_code_goes_by_mail(self, place: Place, anne: Person) -> None:
        """Its script was activated while there was one."""
        view = ordered_in_vain(place, anne)
        assert view.error is not None
        assert view.error.code == "QR_NOT_DELIVERED"
        assert place.post.letters == []
