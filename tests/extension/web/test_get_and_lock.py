"""Get and Lock, walked by links and forms only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.extension.web.conftest import Handset, Page, Person, Site


def get_mobile_id(person: Person, phone: Handset) -> Page:
    """Walk a Get to its end; return the page that says so."""
    page = person.click(person.open("/"), "Get Mobile ID")
    page = person.click(page, "Next")
    phone.scan(page)
    page = person.click(page, "Next")
    page = person.click(page, "Next", number=phone.number)
    phone.confirm()
    return person.open(page.path)


class TestGet:
    """From the dashboard to an active mobile ID."""

    def test_the_whole_path(self, site: Site, phone: Handset) -> None:
        """Every step has its title, its buttons in their order, and leads to the next."""
        person = site.person("Alva Lind")
        home = person.open("/")
        assert "You have no mobile ID." in home.text
        assert home.buttons == ["Get Mobile ID"]

        confirm = person.click(home, "Get Mobile ID")
        assert confirm.title == "Get mobile ID"
        assert confirm.buttons == ["Next", "Cancel"]
        assert "Authentication, Signature" in confirm.text

        scan = person.click(confirm, "Next")
        assert scan.title == "Scan the code with your phone"
        assert scan.buttons == ["Next", "New code", "Cancel"]
        assert "12:10 UTC, in 10 minutes" in scan.text

        waiting = person.click(scan, "Next")
        assert "Waiting for your phone." in waiting.text

        phone.scan(waiting)
        approve = person.click(waiting, "Next")
        assert approve.title == "Is this your phone?"
        assert approve.buttons == ["Next", "Not mine", "Cancel"]
        assert "Pixel 9 asks for your mobile ID." in approve.text
        assert "moved on" not in approve.text

        creating = person.click(approve, "Next", number=phone.number)
        assert creating.title == "Creating your mobile ID"
        assert creating.buttons == ["Cancel"]

        phone.confirm()
        done = person.open(creating.path)
        assert done.title == "Your mobile ID is ready"
        profile = person.open(done.links["Mobile ID"])
        assert "Active" in profile.text
