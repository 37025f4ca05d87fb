"""Who is at the pages: sample users of a demo, for a while; nobody where login is not configured."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Database, StandingClock
    from tests.extension.web.conftest import Handset, Site


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """One kind is enough: the pages that are asked for here ask nothing new of it."""
    return sqlite_database


class TestDemo:
    """One click makes one a sample user."""

    def test_every_page_asks_first(self, site: Site) -> None:
        """A stranger sees whom they could be, and nothing else."""
        for path in ("/", "/mobile-ids"):
            page = site.person().open(path)
            assert page.title == "Sign in"
            assert page.buttons == ["Alva Lind", "Bo Ek"]

    def test_it_leads_back_to_the_page_that_was_asked_for(self, site: Site) -> None:
        """A link from elsewhere survives the sign-in."""
        person = site.person()
        assert person.click(person.open("/mobile-ids"), "Bo Ek").path == "/mobile-ids"

    def test_only_sample_users_can_be_chosen(self, site: Site) -> None:
        """A name that is not on the page signs nobody in."""
        person = site.person()
        form = person.open("/sign-in").forms[0]
        refused = person.open("/sign-in", "POST", data=form.values | {"user_id": "mallory"})
        assert refused.status == 400
        assert "There is no such sample user." in refused.text
        assert person.open("/").title == "Sign in"

    def test_sign_out(self, site: Site) -> None:
        """Nothing of the session is left."""
        person = site.person("Alva Lind")
        assert person.click(person.open("/"), "Sign out").title == "Sign in"
        assert person.open("/").title == "Sign in"

    def test_a_session_ends(self, site: Site, clock: StandingClock) -> None:
        """After half a day one signs in again."""
        person = site.person("Alva Lind")
        clock.pass_by(timedelta(hours=12))
        assert person.open("/").title == "Sign in"

    def test_start_needs_a_recent_login(self, site: Site, clock: StandingClock) -> None:
        """An old session is told why it signs in again, and comes back to the dashboard."""
        person = site.person("Alva Lind")
        clock.pass_by(timedelta(minutes=21))
        asked = person.click(person.open("/"), "Get Mobile ID")
        assert asked.title == "Sign in"
        assert "Sign in again: this step needs a login of the last 20 minutes." in asked.text
        assert person.click(asked, "Alva Lind").buttons == ["Get Mobile ID"]

    def test_approval_needs_a_recent_login(
        self, site: Site, phone: Handset, clock: StandingClock
    ) -> None:
        """It comes back to the step, which is as it was."""
        person = site.person("Alva Lind")
        clock.pass_by(timedelta(minutes=15))
        scan = person.click(person.click(person.open("/"), "Get Mobile ID"), "Next")
        phone.scan(scan)
        approve = person.click(scan, "Next")
        clock.pass_by(timedelta(minutes=7))
        asked = person.click(approve, "Next", number=phone.number)
        back = person.click(asked, "Alva Lind")
        assert back.title == "Is this your phone?"
        creating = person.click(back, "Next", number=phone.number)
        assert creating.title == "Creating your mobile ID"


class TestNotConfigured:
    """Elsewhere pages can not know anybody yet, and say so."""

    @pytest.mark.parametrize("path", ["/", "/mobile-ids", "/sign-in"])
    def test_every_page_says_what_to_do(self, site_without_login: Site, path: str) -> None:
        """One clear page: what is missing, what works, and two ways on."""
        page = site_without_login.person().open(path)
        assert (page.status, page.title) == (503, "Login is not configured yet")
        assert "Everything else works: SCIM, the process hooks" in page.text
        assert "mobid frontend add" in page.text
        assert "mobid demo" in page.text

    def test_forms_do_nothing(self, site_without_login: Site) -> None:
        """Nobody signs in by knowing the form of a demo."""
        page = site_without_login.person().open("/sign-in", "POST", data={"user_id": "alva"})
        assert page.status == 503

    def test_the_landing_page_works(self, site_without_login: Site) -> None:
        """Codes of other front ends lead here as well."""
        assert site_without_login.person().open("/e").status == 200
