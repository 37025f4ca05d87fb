"""`/openapi.json`: every reference leads somewhere, every operation says who may call and how it errs."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from flask.testing import FlaskClient


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    """The document, as anybody gets it."""
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    found: dict[str, Any] = answer.get_json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def references(value: object) -> Iterator[str]:
    """Yield every `$ref` in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for below in value.values():
            yield from references(below)
    elif isinstance(value, list):
        for below in value:
            yield from references(below)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    """With a title, a version, and paths."""
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {"title": "mobid", "version": "0.1.0"}
    assert document.keys() >= {"paths", "components", "tags"}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """Inside the document."""
    found = set(references(document))
    assert found
    for reference in found:
        target: Any = document
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]


def test_it_has_every_route(app: Flask, document: dict[str, Any]) -> None:
    """Nothing that can be called is unsaid."""
    routes = {
        (re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/processes", "/admin", "/pki"))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == {(path, method) for path, method, _ in operations(document)}


def test_every_parameter_in_a_path_is_described(document: dict[str, Any]) -> None:
    """OpenAPI 3.1, 4.8.12.1: a path parameter is required, and in the path's template."""
    for path, item in document["paths"].items():
        described = {
            parameter["name"]
            for parameter in item.get("parameters", [])
            if parameter["in"] == "path" and parameter["required"]
        }
        assert described == set(re.findall(r"{(\w+)}", path)), path


def test_who_may_call_is_said(document: dict[str, Any]) -> None:
    """All but what CAs publish wants a token."""
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer"}
    }
    for path, _, operation in operations(document):
        if path.startswith("/pki"):
            assert "security" not in operation, path
        else:
            assert operation["security"] == [{"bearer": []}], path


def test_errors_are_problem_documents(document: dict[str, Any]) -> None:
    """In the default answer of every operation, and in every other 4xx."""
    responses = document["components"]["responses"]
    for path, method, operation in operations(document):
        assert operation["summary"], (method, path)
        assert "default" in operation["responses"]
        for status, response in operation["responses"].items():
            if status == "default" or status.startswith("4"):
                name = response.get("$ref", "").rpartition("/")[2]
                content = (responses[name] if name else response).get("content", {})
                assert set(content) <= {"application/problem+json"}, (path, status)


def test_no_two_schemas_share_a_name(document: dict[str, Any]) -> None:
    """Those that would are numbered."""
    names = Counter(name.rstrip("0123456789") for name in document["components"]["schemas"])
    assert names.most_common(1)[0][1] == 1


def test_what_an_instance_has_is_described(document: dict[str, Any]) -> None:
    """Front ends are generated from it."""
    schemas = document["components"]["schemas"]
    assert (
        set(schemas["InstanceAnswer"]["required"]) == schemas["InstanceAnswer"]["properties"].keys()
    )
    act = schemas["ActOrder"]
    assert act["required"] == ["step_seq"]
    assert act["additionalProperties"] is False
