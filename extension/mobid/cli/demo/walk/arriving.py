"""How the walk begins: a user arrives, and an administrator decides what they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient

from mobid.cli.demo.actors import HTTP_TIMEOUT, FrontEnd
from mobid.cli.demo.checks import CheckFailed

if TYPE_CHECKING:
    from mobid.cli.demo.walk.stage import Stage

SCRIPT: Final = """\
# Two certificates for a year. People in Finance get them for half a year.
options.certificates = [cert.AUTHENTICATION, cert.SIGNATURE]
options.validity = years(1)
if user.has("department") and user.department == "Finance":
    options.validity = months(6)
options.server_name = "The walk"
"""
MAIL_SCRIPT: Final = f'{SCRIPT}options.qr_location = "email"\n'
USER_NAME: Final = "walk.user"
ADDRESS: Final = "walk.user@example.org"
PERSON: Final = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": USER_NAME,
    "displayName": "Walk User",
    "name": {"givenName": "Walk", "familyName": "User"},
    "emails": [{"value": ADDRESS, "primary": True}],
    "active": True,
}


def user_arrives(stage: Stage) -> str:
    """An identity manager creates a user, with a SCIM client that is not ours."""
    headers = {"Authorization": f"Bearer {stage.told['scim_token']}"}
    with httpx2.Client(
        base_url=stage.told["scim_url"], headers=headers, timeout=HTTP_TIMEOUT
    ) as http:
        scim = SyncSCIMClient(http)
        scim.discover()
        created = scim.create(scim.get_resource_model("User"), PERSON)
    user_id: str = getattr(created, "id", None) or ""
    if not user_id:
        raise CheckFailed(f"The user was not created: {created}")
    stage.front_end = FrontEnd.of(stage.told, user_id)
    return f"{USER_NAME} is user {user_id}"


def script_decides(stage: Stage) -> str:
    """An administrator tries an option script, stores it and activates it."""
    return _activate(stage, SCRIPT, "For the walk")


def script_sends_mails(stage: Stage) -> str:
    """An administrator activates a script by which codes are mailed."""
    return _activate(stage, MAIL_SCRIPT, "Codes by mail")


def _activate(stage: Stage, source: str, comment: str) -> str:
    tried = stage.admin("dry-run", source=source, user_id=stage.front_end.user_id)
    if tried["outcome"] != "ok":
        raise CheckFailed(f"The dry run of the option script ended with {tried}")
    version = stage.admin("versions", source=source, comment=comment)["version"]
    stage.admin("activate", version=version, expected_active=version - 1)
    return f"version {version} is active; in the sandbox it took {tried['ms']:.0f} ms"
