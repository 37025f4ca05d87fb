"""Get and Lock, walked by links and forms only."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import StandingClock
    from tests.extension.web.conftest import CAThatMayBeAway, Handset, Page, Person, Site


def refreshes(page: Page) -> bool:
    """Whether a browser loads the page again by itself."""
    return ("meta", {"http-equiv": "refresh", "content": "2"}) in page.tags


@pytest.fixture
def alva(site: Site) -> Person:
    """Alva, signed in."""
    return site.person("Alva Lind")


class TestGet:
    """From the dashboard to an active mobile ID."""

    def test_the_whole_path(self, alva: Person, phone: Handset) -> None:
        """Every step has its title, its buttons in their order, and leads to the next."""
        home = alva.open("/")
        assert "You have no mobile ID." in home.text
        assert home.buttons == ["Get Mobile ID"]

        confirm = alva.click(home, "Get Mobile ID")
        assert confirm.title == "Get mobile ID"
        assert confirm.buttons == ["Next", "Cancel"]
        assert "Authentication, Signature" in confirm.text
        assert "22 Nov 2028, 12:00 UTC" in confirm.text

        scan = alva.click(confirm, "Next")
        assert scan.title == "Scan the code with your phone"
        assert scan.buttons == ["Next", "New code", "Cancel"]
        assert "https://mobid.example.org" in scan.text
        assert "22 Nov 2026, 12:10 UTC , in 10 min" in scan.text

        phone.scan(scan)
        approve = alva.click(scan, "Next")
        assert approve.title == "Is this your phone?"
        assert approve.buttons == ["Next", "Not mine", "Cancel"]
        assert "Pixel 9 asks for your mobile ID." in approve.text
        assert "moved on" not in approve.text

        creating = alva.click(approve, "Next", number=phone.number)
        assert creating.title == "Creating your mobile ID"
        assert creating.buttons == ["Cancel"]
        assert refreshes(creating)

        phone.confirm()
        done = alva.open(creating.path)
        assert done.title == "Your mobile ID is ready"
        assert done.buttons == []
        assert not refreshes(done)
        assert alva.open(done.links["Mobile ID"]).title == "MobileID Alva Lind"

    def test_the_current_step_is_marked(self, alva: Person) -> None:
        """A screen reader is told which of the steps it is."""
        page = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        assert '<li class="current" aria-current="step"><span>Scan</span></li>' in page.source
        assert page.source.count("aria-current") == 1

    def test_a_waiting_page_asks_whether_there_is_news(self, alva: Person, phone: Handset) -> None:
        """It names what it shows, and is told nothing until something else is to be shown."""
        scan = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        (asks,) = (given["hx-get"] for tag, given in scan.tags if "hx-get" in given)
        assert alva.open(str(asks)).status == 204
        phone.scan(scan)
        news = alva.open(str(asks))
        assert news.title == "Is this your phone?"
        assert not [given for tag, given in news.tags if "hx-get" in given]

    def test_a_code_by_mail(self, site: Site, alva: Person) -> None:
        """The page has the second secret and nothing of the mail; each can be made anew by itself."""
        site.use_script('options.qr_location = "email"')
        page = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        assert page.title == "Activate your mobile ID from the mail"
        assert "a•••@example.org" in page.text
        assert "<svg" not in page.source
        (code,) = re.findall(r">([0-9A-Z]{4}-[0-9A-Z]{4})<", page.source)
        assert page.buttons == ["Next", "A new code for the app", "A new mail", "Cancel"]
        renewed = alva.click(page, "A new code for the app")
        (other,) = re.findall(r">([0-9A-Z]{4}-[0-9A-Z]{4})<", renewed.source)
        assert other != code
        assert alva.click(renewed, "A new mail").title == page.title

    def test_a_code_by_mail_that_is_over(
        self, site: Site, alva: Person, clock: StandingClock
    ) -> None:
        """What helps stands first, and nothing is said twice; a lapsed link needs a new mail."""
        site.use_script('options.qr_location = "email"')
        page = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        assert "The link in the mail is good until 23 Nov 2026, 12:00 UTC" in page.text
        clock.pass_by(timedelta(minutes=11))
        dead = alva.click(alva.open(page.path), "Next")
        assert dead.buttons == ["A new code for the app", "A new mail", "Next", "Cancel"]
        assert dead.text.count("The code for the app has expired.") == 1
        clock.pass_by(timedelta(hours=24))
        alva.sign_in()
        assert alva.open(page.path).buttons == ["A new mail", "Next", "Cancel"]

    def test_next_before_the_phone_has_come(self, alva: Person) -> None:
        """The step stays, and says what it waits for, once."""
        scan = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        waiting = alva.click(scan, "Next")
        assert waiting.title == scan.title
        assert "Waiting for your phone." in waiting.text
        assert "Waiting for your phone." not in alva.open(waiting.path).text

    def test_a_new_code_replaces_the_old_one(self, alva: Person, clock: StandingClock) -> None:
        """A code that has expired is not shown; the next one is another."""
        first = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        clock.pass_by(timedelta(minutes=11))
        lapsed = alva.open(first.path)
        assert "The code has expired. Get a new code." in lapsed.text
        assert "<svg" not in lapsed.source
        renewed = alva.click(lapsed, "New code")
        old, new = (page.links["Open on this phone"] for page in (first, renewed))
        assert old != new

    def test_too_many_codes(self, alva: Person) -> None:
        """After the last code the step says what to do instead."""
        page = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        for _ in range(5):
            page = alva.click(page, "New code")
        assert "Cancel it and start again." in page.text
        assert "<svg" in page.source

    def test_an_approval_without_a_number(self, alva: Person, phone: Handset) -> None:
        """Whoever gets around the browser's own check is told what is missing."""
        scan = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        phone.scan(scan)
        again = alva.click(alva.click(scan, "Next"), "Next")
        assert again.title == "Is this your phone?"
        assert 'Input "number" must be one of' in again.text

    def test_a_phone_that_is_not_mine(self, alva: Person, phone: Handset) -> None:
        """The run ends, says why, and has a reference for the service desk."""
        scan = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        phone.scan(scan)
        ended = alva.click(alva.click(scan, "Next"), "Not mine")
        assert ended.title == "This did not work"
        assert "a phone that is not yours" in ended.text
        assert "Reference for your service desk:" in ended.text
        assert "Cancelled" in alva.open("/mobile-ids").text

    def test_a_page_that_is_behind(self, alva: Person) -> None:
        """A second tab does nothing by mistake: it shows the current step, and says so."""
        confirm = alva.click(alva.open("/"), "Get Mobile ID")
        alva.click(confirm, "Next")
        behind = alva.click(confirm, "Next")
        assert behind.title == "Scan the code with your phone"
        assert "This had moved on in the meantime, so nothing was done." in behind.text

    def test_a_closed_page_ends_nothing(self, alva: Person) -> None:
        """The dashboard leads back to where one was, and offers no second Get."""
        scan = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Next")
        home = alva.open("/")
        assert alva.open(home.links["Continue"]).title == scan.title
        assert home.buttons == []

    def test_cancel(self, alva: Person) -> None:
        """Nothing is left, and the dashboard offers Get again."""
        ended = alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Cancel")
        assert ended.title == "Cancelled"
        assert alva.open("/").buttons == ["Get Mobile ID"]

    def test_choices_that_the_script_allows(self, site: Site, phone: Handset) -> None:
        """What is ticked is issued beside what the script decided."""
        site.use_script(
            "options.certificates = [cert.AUTHENTICATION]\n"
            "options.selectable_certificates = [cert.SIGNATURE]\n"
        )
        alva = site.person("Alva Lind")
        confirm = alva.click(alva.open("/"), "Get Mobile ID")
        scan = alva.click(confirm, "Next", certificates=["signature"])
        phone.scan(scan)
        creating = alva.click(alva.click(scan, "Next"), "Next", number=phone.number)
        assert "The certificates are made." in creating.text
        phone.confirm()
        profile = alva.open(alva.open(creating.path).links["Mobile ID"])
        assert "Signature" in profile.text

    def test_a_refusal_by_the_script(self, site: Site) -> None:
        """The card has the script's words instead of a button."""
        site.use_script('refuse("Ask your manager.")')
        home = site.person("Alva Lind").open("/")
        assert "Ask your manager." in home.text
        assert home.buttons == []

    def test_a_user_who_is_not_active(self, site: Site, alva: Person) -> None:
        """The card says why there is no button; a form from before is refused in words."""
        before = alva.open("/")
        site.deactivate("alva")
        home = alva.open("/")
        assert "This user account is inactive" in home.text
        assert home.buttons == []
        refused = alva.click(before, "Get Mobile ID")
        assert (refused.status, refused.title) == (409, "This did not work")
        assert "only an active one can get a mobile ID" in refused.text


class TestLock:
    """From the dashboard, from the menu, and inside Get."""

    def test_from_the_dashboard(self, alva: Person, phone: Handset) -> None:
        """Two clicks after an explanation; the reason is optional."""
        phone.get_mobile_id(alva)
        home = alva.open("/")
        assert "Phone Pixel 9 Valid to 22 Nov 2028, 12:00 UTC" in home.text
        assert home.buttons == ["Get Mobile ID", "Lock mobile ID"]
        confirm = alva.click(home, "Lock mobile ID")
        assert "2 certificates will be revoked." in confirm.text
        assert confirm.buttons == ["Next", "Cancel"]
        locked = alva.click(confirm, "Next")
        assert locked.title == "Mobile ID locked"
        profile = alva.open(locked.links["Mobile ID"])
        assert profile.source.count('<span class="badge revoked">Revoked</span>') == 4
        assert "No actions." in profile.text
        assert "You have no mobile ID." in alva.open("/").text

    def test_from_the_menu_with_a_reason(self, alva: Person, phone: Handset) -> None:
        """*Possible actions* of an active mobile ID offer Lock."""
        phone.get_mobile_id(alva)
        menu = alva.open("/mobile-ids")
        assert "Active" in menu.text
        profile = alva.open(menu.links["MobileID Alva Lind"])
        assert "Possible actions" in profile.text
        confirm = alva.click(profile, "Lock mobile ID")
        assert alva.click(confirm, "Next", reason="lost_or_stolen").title == "Mobile ID locked"

    def test_cancel(self, alva: Person, phone: Handset) -> None:
        """The mobile ID stays as it is."""
        phone.get_mobile_id(alva)
        alva.click(alva.click(alva.open("/"), "Lock mobile ID"), "Cancel")
        assert alva.open("/").buttons == ["Get Mobile ID", "Lock mobile ID"]

    def test_inside_get(self, alva: Person, phone: Handset) -> None:
        """Lock goes straight on to Get; a Cancel after that leaves it locked."""
        phone.get_mobile_id(alva)
        active = alva.click(alva.open("/"), "Get Mobile ID")
        assert active.title == "You already have an active mobile ID"
        assert active.buttons == ["Lock", "Cancel"]
        confirm = alva.click(active, "Lock")
        assert confirm.title == "Get mobile ID"
        alva.click(confirm, "Cancel")
        assert "Locked" in alva.open("/mobile-ids").text
        assert "You have no mobile ID." in alva.open("/").text

    def test_a_ca_that_is_away(self, alva: Person, phone: Handset, ca: CAThatMayBeAway) -> None:
        """Locked here is not yet revoked there, and no page says it was."""
        phone.get_mobile_id(alva)
        ca.is_away = True
        locking = alva.click(alva.click(alva.open("/"), "Lock mobile ID"), "Next")
        assert locking.title == "Locked here"
        assert "The CA has confirmed 0 of 2 revocations" in locking.text
        assert refreshes(locking)
        menu = alva.open("/mobile-ids")
        assert "Locking" in menu.text
        profile = alva.open(menu.links["MobileID Alva Lind"])
        row = '<span class="badge revoked">Revoked</span></td>'
        assert profile.source.count(row) == 2
        assert profile.source.count('<span class="badge valid">Valid</span></td>') == 2

    def test_twice(self, alva: Person, phone: Handset) -> None:
        """A form from before is refused in words that name the state."""
        phone.get_mobile_id(alva)
        before = alva.open("/")
        alva.click(alva.click(before, "Lock mobile ID"), "Next")
        refused = alva.click(before, "Lock mobile ID")
        assert refused.status == 409
        assert "is locked; only an active one can be locked." in refused.text


class TestLimits:
    """What somebody does too often is a page that says so."""

    def test_the_eleventh_start_in_an_hour_says_when_to_come_back(self, alva: Person) -> None:
        """And the dashboard goes on working."""
        for _ in range(10):
            alva.click(alva.click(alva.open("/"), "Get Mobile ID"), "Cancel")
        refused = alva.click(alva.open("/"), "Get Mobile ID")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "3600")
        assert "You have started this too often. Try again in 3600 seconds." in refused.text
        assert alva.open("/").buttons == ["Get Mobile ID"]
