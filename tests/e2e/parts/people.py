"""People who arrived over SCIM, and one of them at a registered front end."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from tests.e2e.parts.phones import Handset
    from tests.e2e.parts.worlds import World
    from werkzeug.test import TestResponse

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
SHOWN: Final = "user,state,active,certificates"
"""What tests look at of a mobile ID."""


def a_user(**more: object) -> dict[str, Any]:
    """Return a person as SCIM creates them, by a name that nobody else has."""
    name = f"anna-{uuid.uuid4().hex[:12]}"
    return {
        "schemas": [USER],
        "userName": name,
        "displayName": "Anna Example",
        "emails": [{"value": f"{name}@example.org", "primary": True}],
        **more,
    }


@dataclass
class Person:
    """A user at a registered front end, with the run that they look at and the phone in their hand."""

    world: World
    user_id: str
    email: str
    instance: dict[str, Any] = field(default_factory=dict)
    phone: Handset | None = None
    delivered: list[dict[str, str]] = field(default_factory=list)

    @property
    def step(self) -> str:
        """The step that the run is at, as it was last shown."""
        return str(self.instance["step"]["name"])

    @property
    def mobile_id(self) -> str:
        """The mobile ID of the run."""
        return str(self.instance["mobile_id"])

    @property
    def handset(self) -> Handset:
        """The phone, which a Get that has come that far has."""
        assert self.phone is not None
        return self.phone

    def call(self, method: str, path: str, body: object = None) -> TestResponse:
        """Call a hook under an assertion of the front end."""
        headers = {"Authorization": f"Bearer {self.world.assertion(self.user_id)}"}
        return self.world.http.open(f"/processes{path}", method=method, json=body, headers=headers)

    def start(self, process: str, **body: object) -> TestResponse:
        """Start a process, and look at the run."""
        return self._looked_at(self.call("POST", f"/{process}/start", body))

    def act(self, action: str, *, seq: int | None = None, **answer: object) -> TestResponse:
        """Take an action on the step as it was last shown, or on an older one; look at the run."""
        shown = self.instance["step"]["seq"]
        body = {"step_seq": shown if seq is None else seq, "input": answer}
        return self._looked_at(
            self.call("POST", f"/instances/{self.instance['id']}/{action}", body)
        )

    def look(self) -> dict[str, Any]:
        """Look at the run as it is now."""
        answer = self._looked_at(self.call("GET", f"/instances/{self.instance['id']}"))
        assert answer.status_code == 200, answer.text
        return self.instance

    def take_phone(self) -> None:
        """Enter the code that is shown, or that of the mail, and let the phone send its keys."""
        self.phone = self.world.handset("Anna's phone")
        shown = self.instance["step"]["data"]
        if self.step == "mail":
            mailed = self.world.mailbox.last_to(self.email).enclosed
            assert mailed is not None
            claimed = self.phone.claim(mailed.typed_code, mail_code=shown["mail_code"])
        else:
            claimed = self.phone.claim(shown["typed_code"])
        assert claimed.status == 200, claimed
        self.number = str(claimed.said["number"])
        assert self.phone.keys().status == 200
        self.look()

    def approve(self) -> TestResponse:
        """Pick the number that the phone shows, where the page asks for it."""
        asked = [field["name"] for field in self.instance["step"]["form"]]
        return self.act("next", number=self.number) if asked == ["number"] else self.act("next")

    def fetch(self) -> None:
        """Let the phone fetch its certificates."""
        answer = self.handset.result()
        assert answer.status == 200, answer
        self.delivered = answer.said["certificates"]

    def _looked_at(self, answer: TestResponse) -> TestResponse:
        if answer.status_code < 300:
            self.instance = cast("dict[str, Any]", answer.json)
        return answer
