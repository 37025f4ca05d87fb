"""The order of the operations of a Bulk request: each behind those that it needs."""

from collections.abc import Sequence


def in_order(needs: Sequence[frozenset[int]]) -> list[tuple[int, ...]]:
    """Return the operations in the order of the request, but each behind those that it needs.

    Those that need each other come together, as one circle. This is Tarjan's algorithm for
    strongly connected components, with a stack of its own: a chain may be as long as the request.
    """
    found: list[tuple[int, ...]] = []
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    open_ones: list[int] = []
    done: set[int] = set()
    for first in range(len(needs)):
        stack = [] if first in number else [(first, iter(sorted(needs[first])))]
        while stack:
            at, others = stack[-1]
            if at not in number:
                number[at] = lowest[at] = len(number)
                open_ones.append(at)
            following = next(others, None)
            if following is None:
                stack.pop()
                if stack:
                    parent = stack[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[at])
                if lowest[at] == number[at]:
                    start = open_ones.index(at)
                    found.append(tuple(sorted(open_ones[start:])))
                    done.update(open_ones[start:])
                    del open_ones[start:]
            elif following not in number:
                stack.append((following, iter(sorted(needs[following]))))
            elif following not in done:
                lowest[at] = min(lowest[at], number[following])
    return found
