"""RSA moduli that can be factored, recognised in well under a millisecond."""

from __future__ import annotations

import math
from typing import Final

FERMAT_ROUNDS: Final = 100
"""As many as CAs of the web PKI do; it finds primes that were drawn next to each other."""


def _primes(below: int) -> tuple[int, ...]:
    return tuple(n for n in range(2, below) if all(n % d for d in range(2, math.isqrt(n) + 1)))


def _powers(generator: int, prime: int) -> frozenset[int]:
    """Return the subgroup that `generator` makes modulo `prime`."""
    return frozenset(pow(generator, exponent, prime) for exponent in range(prime - 1))


_SMALL_PRIMES: Final = math.prod(_primes(752))
# The faulty library (CVE-2017-15361) drew its primes as k*M + 65537^a mod M, M a product of small
# primes; so such a modulus, too, is a power of 65537 modulo each of them. For a sound one that
# happens once in about 2^27 keys with these primes.
_ROCA_SUBGROUPS: Final = tuple((prime, _powers(65537, prime)) for prime in _primes(168)[1:])


def weakness(modulus: int) -> str | None:
    """Return what is wrong with an RSA modulus, or None."""
    if math.gcd(modulus, _SMALL_PRIMES) != 1:
        return "a modulus with a small factor"
    if all(modulus % prime in subgroup for prime, subgroup in _ROCA_SUBGROUPS):
        return "a modulus of the faulty generator ROCA (CVE-2017-15361)"
    if _has_close_primes(modulus):
        return "a modulus of two primes that lie close together"
    return None


def _has_close_primes(modulus: int) -> bool:
    """Fermat: n = a² - b² with a just above the square root when the primes are close."""
    root = math.isqrt(modulus)
    if root * root == modulus:
        return True
    for middle in range(root + 1, root + 1 + FERMAT_ROUNDS):
        rest = middle * middle - modulus
        if math.isqrt(rest) ** 2 == rest:
            return True
    return False
