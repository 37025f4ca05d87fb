"""Searches of one type or of several, by index (RFC 7644, 3.4.2.4) or by cursor (RFC 9865)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mobid_scim.cursors import Cursors, Mark
from mobid_scim.dialect import Dialect
from mobid_scim.errors import InvalidCount, InvalidValue, NotYetImplemented
from mobid_scim.filter import parse_each, to_text
from mobid_scim.listing import Page, Query
from mobid_scim.projection import Projection
from mobid_scim.resource import ResourceType, StoredResource
from mobid_scim.search_request import SearchRequest
from mobid_scim.service import Service
from mobid_scim.type_filter import with_type_known

CallerT = TypeVar("CallerT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of resources, each with what the client wants of it.

    A page by index has a `start_index` and a `total`; one by cursor has cursors, unless nothing
    comes there.
    """

    resources: Sequence[tuple[StoredResource, Projection]]
    total: int | None
    start_index: int | None = None
    next_cursor: str | None = None
    previous_cursor: str | None = None


def find(
    service: Service[CallerT],
    caller: CallerT,
    scopes: Sequence[ResourceType],
    asked: SearchRequest,
) -> Found:
    """Return a page of resources, one type after the other (RFC 7644, 3.4.2.1).

    Raises InvalidValue for a sort over several types: no storage compares their resources.
    """
    queries = _queries(scopes, asked, service.dialect_of(caller))
    if asked.cursor is None:
        return _by_index(service, caller, queries)
    if service.cursors is None:
        raise NotYetImplemented("Paging by cursor is not available; leave cursor, send startIndex.")
    return _by_cursor(service, caller, queries, asked, service.cursors)


def _queries(scopes: Sequence[ResourceType], asked: SearchRequest, dialect: Dialect) -> list[Query]:
    if len(scopes) == 1:
        return [asked.query(scopes[0], dialect)]
    if asked.sort_by is not None:
        raise InvalidValue("Resources of several types cannot be sorted; search one endpoint.")
    if asked.filter is None:
        return [asked.filtered_by(None, scope) for scope in scopes]
    trees = parse_each(asked.filter, scopes, dialect)
    return [
        asked.filtered_by(with_type_known(tree, scope), scope)
        for tree, scope in zip(trees, scopes, strict=True)
    ]


def _by_index(service: Service[CallerT], caller: CallerT, queries: Sequence[Query]) -> Found:
    resources: list[tuple[StoredResource, Projection]] = []
    total = 0
    for query in queries:
        part = replace(
            query,
            start_index=max(1, query.start_index - total),
            count=query.count - len(resources),
        )
        page = service.search(caller, query.projection.scope, part)
        resources += _projected(page, query)
        total += page.total or 0
    return Found(resources=resources, total=total, start_index=queries[0].start_index)


def _by_cursor(
    service: Service[CallerT],
    caller: CallerT,
    queries: Sequence[Query],
    asked: SearchRequest,
    cursors: Cursors[CallerT],
) -> Found:
    search = _text(queries)
    begin = Mark(queries[0].projection.scope.name, None, queries[0].count)
    if asked.cursor:
        begin = cursors.open(asked.cursor, caller, search)
        _check_count(asked, begin.count)
    walk = _walk(service, caller, queries, begin)
    sealed = [
        None if mark is None else cursors.seal(mark, caller, search)
        for mark in (walk.next, walk.previous)
    ]
    return Found(
        resources=walk.resources,
        total=_total(service, caller, queries) if _tells_total(asked, walk) else None,
        next_cursor=sealed[0],
        previous_cursor=sealed[1],
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    """One page on the way through a list, and where it goes on."""

    resources: Sequence[tuple[StoredResource, Projection]]
    next: Mark | None
    previous: Mark | None


def _walk(
    service: Service[CallerT], caller: CallerT, queries: Sequence[Query], begin: Mark
) -> _Walk:
    """Take a page from where a mark is; over several types, it leads forward only."""
    resources: list[tuple[StoredResource, Projection]] = []
    onward = back = None
    names = [query.projection.scope.name for query in queries]
    for query in queries[names.index(begin.scope) :] if begin.count else ():
        scope = query.projection.scope
        left = begin.count - len(resources)
        after = begin.position if scope.name == begin.scope else None
        page = service.seek(caller, scope, replace(query, after=after, count=left))
        resources += _projected(page, query)
        if page.next is not None:
            onward = Mark(scope.name, page.next, begin.count)
        elif not left and page.total:
            onward = Mark(scope.name, None, begin.count)
        if page.previous is not None and len(queries) == 1:
            back = Mark(scope.name, page.previous, begin.count)
        if onward is not None:
            break
    return _Walk(resources, onward, back)


def _tells_total(asked: SearchRequest, walk: _Walk) -> bool:
    """Tell whether an answer has to say how many there are (RFC 9865, 2 leaves it to the provider).

    To count may cost more than a page does: so the first page says it, and what has no cursor, by
    which a client could know that the total may be left out.
    """
    return not asked.cursor or (walk.next is None and walk.previous is None)


def _total(service: Service[CallerT], caller: CallerT, queries: Sequence[Query]) -> int:
    """Return how many there are in all."""
    pages = [
        service.seek(caller, query.projection.scope, replace(query, count=0)) for query in queries
    ]
    return sum(page.total or 0 for page in pages)


def _check_count(asked: SearchRequest, sealed: int) -> None:
    """Pages of one list have one size (RFC 9865, 2.4), which need not be said again."""
    if asked.count is not None and asked.count != sealed:
        raise InvalidCount(
            f"The list was begun with count={sealed}; leave count, or begin again with an empty cursor."
        )


def _text(queries: Sequence[Query]) -> str:
    """Return what makes a search this one: types, filters and order, however they were spelled."""
    return json.dumps(
        [
            [
                query.projection.scope.name,
                None if query.filter is None else to_text(query.filter),
                None if query.sort_by is None else [query.sort_by.key, query.sort_order],
            ]
            for query in queries
        ]
    )


def _projected(page: Page, query: Query) -> list[tuple[StoredResource, Projection]]:
    return [(stored, query.projection) for stored in page.resources]
