"""Somebody else's conformance checker against the engine, on storage in memory."""

from typing import Any, Final

import pytest
from flask import Flask
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import CheckResult, Status, check_server

BASE: Final = "https://id.example/scim/v2"


@pytest.fixture(scope="module")
def results(standard_app: Flask) -> list[CheckResult]:
    """Return what the checker found at users and groups; notes cannot be created, as it needs."""
    headers = {"Authorization": "Bearer read-write"}
    client: Any = WSGISCIMClient(standard_app, BASE, headers=headers)
    return list(check_server(client, resource_types=["User", "Group"]))


def test_nothing_is_wrong_and_nothing_is_left_out(results: list[CheckResult]) -> None:
    """Every check runs, and ends with a success."""
    others = [each for each in results if each.status is not Status.SUCCESS]
    assert [f"{each.title}: {each.reason}" for each in others] == []


def test_every_operation_was_checked(results: list[CheckResult]) -> None:
    """A checker that gave up early would have found nothing wrong either."""
    found = {(each.title, each.resource_type) for each in results}
    for name in ("User", "Group"):
        for title in (
            "object_creation",
            "object_query",
            "object_replacement",
            "object_deletion",
            "search_with_attributes",
            "check_add_attribute",
            "check_remove_attribute",
            "check_replace_attribute",
        ):
            assert (title, name) in found
    assert len(results) > 100
