"""SCIM over HTTP (RFC 7644): a Flask blueprint around a service.

Each rule takes every method and sorts them out itself, and one more rule takes every other path:
so a stranger gets 401 everywhere, and everybody gets errors as SCIM has them.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qsl

from flask import Blueprint, Request, Response, g, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from mobid_scim import strict_json, wire
from mobid_scim.discovery import Discovery
from mobid_scim.errors import (
    BadRequest,
    Forbidden,
    InternalError,
    InvalidSyntax,
    InvalidValue,
    MethodNotAllowed,
    NotFound,
    NotYetImplemented,
    PayloadTooLarge,
    SCIMError,
    UnsupportedMediaType,
)
from mobid_scim.filter import parse
from mobid_scim.listing import Query, read_count, read_start_index
from mobid_scim.projection import Projection
from mobid_scim.resource import Operation, ResourceType, StoredResource, location
from mobid_scim.service import Precondition, Service

CallerT = TypeVar("CallerT")
Authenticate = Callable[[Request], CallerT]
"""Says who calls, or raises Unauthorized or an error that is translated."""
Authorize = Callable[[CallerT, ResourceType, Operation], None]
"""Returns if the caller may do that, or raises Forbidden or an error that is translated."""
Translate = Callable[[Exception], SCIMError | None]
"""Says what an error of the product is in SCIM; None for what it does not know."""
View = Callable[..., Response]

_METHODS: Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "PROPFIND",
)
_USUAL_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_MEDIA_TYPES: Final = frozenset({wire.MEDIA_TYPE, "application/json"})
_LIMITS: Final = strict_json.DEFAULT_LIMITS
_MAX_PARAMETERS: Final = 100
_log: Final = logging.getLogger(__name__)


def blueprint(
    service: Service[CallerT],
    *,
    authenticate: Authenticate[CallerT],
    authorize: Authorize[CallerT],
    translate: Translate = lambda _: None,
    url_prefix: str = "/scim/v2",
) -> Blueprint:
    """Build the blueprint; `service.base_url` is what its prefix looks like from outside."""
    scim = Blueprint("scim", __name__, url_prefix=url_prefix)
    scim.record(_know_the_rest)
    views = _ResourceViews(service, authorize)

    @scim.before_request
    def know_the_caller() -> None:
        g.scim_caller = authenticate(request)

    @scim.errorhandler(Exception)
    def refuse(error: Exception) -> Response:
        return _refusal(_translated(error, translate))

    discovery = Discovery(service.types, service.base_url)
    _add_discovery(scim, discovery)
    for scope in service.types:
        _add(scim, scope.endpoint, f"{scope.name}-list", views.of_all(scope))
        _add(scim, f"{scope.endpoint}/.search", f"{scope.name}-search", _not_there("POST"))
        _add(scim, f"{scope.endpoint}/<resource_id>", scope.name, views.of_one(scope))
    _add(scim, "/", "root", _not_there("GET"))
    _add(scim, "/.search", "search", _not_there("POST"))
    _add(scim, "/Bulk", "bulk", _not_there("POST"))
    _add(scim, "/Me", "me", _not_there("GET", "POST", "PUT", "PATCH", "DELETE"))
    _add(scim, "/<scim_rest:unknown>", "unknown", dict.fromkeys(_METHODS, _no_such_path))
    return scim


def unrouted(error: HTTPException) -> Response:
    """Return the answer to a request below the prefix that no rule takes: its method is unknown.

    An app calls this in its own error handler, as Flask asks no blueprint then.
    """
    if error.code == MethodNotAllowed.status:
        return _refusal(MethodNotAllowed(request.method, allow=_USUAL_METHODS))
    return _refusal(NotFound(f"There is nothing for {request.method} at this address."))


def _add(scim: Blueprint, rule: str, endpoint: str, views: Mapping[str, View]) -> None:
    """Add a rule that takes every method, so that the blueprint itself answers 405."""

    def view(**arguments: str) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        if method not in views:
            raise MethodNotAllowed(request.method, allow=tuple(views))
        return views[method](**arguments)

    scim.add_url_rule(
        rule,
        endpoint,
        view,
        methods=_METHODS,
        strict_slashes=False,
        merge_slashes=False,
        provide_automatic_options=False,
    )


def _add_discovery(scim: Blueprint, discovery: Discovery) -> None:
    def config() -> Response:
        return _discovered(discovery.service_provider_config())

    def types() -> Response:
        return _discovered(wire.whole_list(discovery.resource_types()))

    def schemas() -> Response:
        return _discovered(wire.whole_list(discovery.schemas()))

    def one_type(name: str) -> Response:
        return _discovered(discovery.resource_type(name))

    def one_schema(urn: str) -> Response:
        return _discovered(discovery.schema(urn))

    _add(scim, "/ServiceProviderConfig", "config", {"GET": config})
    _add(scim, "/ResourceTypes", "types", {"GET": types})
    _add(scim, "/ResourceTypes/<name>", "type", {"GET": one_type})
    _add(scim, "/Schemas", "schemas", {"GET": schemas})
    _add(scim, "/Schemas/<urn>", "schema", {"GET": one_schema})


class _Rest(BaseConverter):
    """What is left of a path; other than `path`, it may begin with a slash."""

    regex = ".+"
    part_isolating = False


def _know_the_rest(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["scim_rest"] = _Rest


class _ResourceViews(Generic[CallerT]):
    """Parse, call the service once, present."""

    def __init__(
        self,
        service: Service[CallerT],
        authorize: Authorize[CallerT],
    ) -> None:
        self._service = service
        self._authorize = authorize

    def of_all(self, scope: ResourceType) -> Mapping[str, View]:
        """Return the views of the endpoint itself, such as /Users."""
        return {
            "GET": lambda: self._search(scope),
            "POST": lambda: self._create(scope),
        }

    def of_one(self, scope: ResourceType) -> Mapping[str, View]:
        """Return the views of one resource."""
        return {
            "GET": lambda resource_id: self._get(scope, resource_id),
            "PUT": lambda resource_id: self._replace(scope, resource_id),
            "PATCH": lambda resource_id: self._patch(scope, resource_id),
            "DELETE": lambda resource_id: self._delete(scope, resource_id),
        }

    def _search(self, scope: ResourceType) -> Response:
        caller = self._caller(scope, Operation.SEARCH)
        query = _query(_parameters(), scope)
        page = self._service.search(caller, scope, query)
        return _answer(wire.page(page, query, self._service.base_url))

    def _get(self, scope: ResourceType, resource_id: str) -> Response:
        caller = self._caller(scope, Operation.READ)
        projection = _projection(_parameters(), scope)
        stored = self._service.get(caller, scope, resource_id, projection)
        if request.if_none_match and _accepts_none_of(stored.version):
            return _with_version(Response(status=304), stored)
        return self._present(stored, projection)

    def _create(self, scope: ResourceType) -> Response:
        caller = self._caller(scope, Operation.CREATE)
        projection = _projection(_parameters(), scope)
        stored = self._service.create(caller, scope, _body(), projection)
        answer = self._present(stored, projection, status=201)
        answer.headers["Location"] = location(stored.id, scope, self._service.base_url)
        return answer

    def _replace(self, scope: ResourceType, resource_id: str) -> Response:
        raise NotYetImplemented(
            f"{scope.endpoint}/{resource_id}: PUT is not available; change it by PATCH."
        )

    def _patch(self, scope: ResourceType, resource_id: str) -> Response:
        caller = self._caller(scope, Operation.PATCH)
        projection = _projection(_parameters(), scope)
        stored = self._service.patch(
            caller, scope, resource_id, _body(), projection=projection, precondition=_precondition()
        )
        if _prefers_minimal():
            answer = _with_version(Response(status=204), stored)
            answer.headers["Preference-Applied"] = "return=minimal"
            return answer
        return self._present(stored, projection)

    def _delete(self, scope: ResourceType, resource_id: str) -> Response:
        caller = self._caller(scope, Operation.DELETE)
        self._service.delete(caller, scope, resource_id, _precondition())
        return Response(status=204)

    def _caller(self, scope: ResourceType, operation: Operation) -> CallerT:
        self._service.check_available(scope, operation)
        caller: CallerT = g.scim_caller
        self._authorize(caller, scope, operation)
        return caller

    def _present(
        self, stored: StoredResource, projection: Projection, *, status: int = 200
    ) -> Response:
        body = wire.resource(stored, projection, self._service.base_url)
        return _with_version(_answer(body, status=status), stored)


def _query(parameters: Mapping[str, str], scope: ResourceType) -> Query:
    for name, feature in (("sortBy", "Sorting"), ("cursor", "Paging by cursor")):
        if name in parameters:
            raise NotYetImplemented(f"{feature} is not available; leave {name}.")
    text = parameters.get("filter")
    return Query(
        projection=_projection(parameters, scope),
        filter=None if text is None else parse(text, scope),
        start_index=read_start_index(parameters.get("startIndex")),
        count=read_count(parameters.get("count")),
    )


def _projection(parameters: Mapping[str, str], scope: ResourceType) -> Projection:
    return Projection.parse(
        scope, parameters.get("attributes"), parameters.get("excludedAttributes")
    )


def _parameters() -> Mapping[str, str]:
    """Return the query parameters; unknown ones are there for clients that add their own."""
    try:
        pairs = parse_qsl(
            request.query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise InvalidSyntax("The query of the URL is not UTF-8, percent-encoded.") from None
    except ValueError:
        raise InvalidSyntax(f"The URL has more than {_MAX_PARAMETERS} parameters.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidValue(f"The parameter {name[:32]} comes twice.")
        found[name] = value
    return found


def _body() -> object:
    """Read and parse the body; the limit holds for chunked ones, too."""
    if request.mimetype not in _MEDIA_TYPES:
        raise UnsupportedMediaType(f"Send the body as {wire.MEDIA_TYPE}.")
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Send the body in UTF-8.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without a Content-Encoding.")
    if (request.content_length or 0) > _LIMITS.size:
        raise PayloadTooLarge(f"The body is larger than {_LIMITS.size} bytes.")
    return strict_json.loads(_read(_LIMITS.size + 1))


def _read(limit: int) -> bytes:
    chunks: list[bytes] = []
    left = limit
    while left and (chunk := request.stream.read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _precondition() -> Precondition | None:
    """Return what If-Match asks for; one that cannot be read accepts no version at all."""
    if "If-Match" not in request.headers:
        return None
    accepted = request.if_match
    return lambda version: accepted.star_tag or accepted.contains_weak(version)


def _accepts_none_of(version: str) -> bool:
    return request.if_none_match.star_tag or request.if_none_match.contains_weak(version)


def _prefers_minimal() -> bool:
    """Tell whether the client wants no body back (RFC 7240, 4.2)."""
    wishes = ",".join(request.headers.getlist("Prefer")).split(",")
    return any(wish.split(";")[0].replace(" ", "").lower() == "return=minimal" for wish in wishes)


def _discovered(value: object) -> Response:
    """Answer with what discovery has; filters are forbidden there (RFC 7644, 4)."""
    if "filter" in _parameters():
        raise Forbidden("Discovery cannot be filtered; read the whole list.")
    return _answer(wire.dump(value))


def _not_there(*methods: str) -> Mapping[str, View]:
    def view() -> Response:
        raise NotYetImplemented(f"{request.method} {request.path} is not available here.")

    return dict.fromkeys(methods, view)


def _no_such_path(unknown: str) -> Response:
    raise NotFound(f'There is nothing at "{unknown[:64]}".')


def _answer(body: bytes, *, status: int = 200) -> Response:
    return Response(body, status=status, content_type=wire.MEDIA_TYPE)


def _with_version(answer: Response, stored: StoredResource) -> Response:
    answer.headers["ETag"] = f'W/"{stored.version}"'
    return answer


def _translated(error: Exception, translate: Translate) -> SCIMError:
    if isinstance(error, SCIMError):
        return error
    if (known := translate(error)) is not None:
        return known
    if isinstance(error, RequestEntityTooLarge):
        return PayloadTooLarge("The body is larger than the server takes.")
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:  # noqa: PLR2004 -- the first code of another class
        return BadRequest("The request cannot be read.")
    _log.error("A SCIM request failed.", exc_info=error)
    return InternalError("The request failed here; the operator's log says why.")


def _refusal(error: SCIMError) -> Response:
    answer = _answer(wire.error(error), status=error.status)
    answer.headers.update(error.headers())
    return answer
