"""Which enrolment a phone is bound to, and whether its Get still runs. Every refusal is `CodeNotUsable`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import InstanceState
from mobid.processes.errors import CodeNotUsable

if TYPE_CHECKING:
    from mobid.domain.enrolments import Claim, Enrolment
    from mobid.domain.instances import Instance
    from mobid.processes.ports import UnitOfWork


@dataclass(frozen=True, slots=True)
class Caller:
    """The phone that a call comes from: proved by its device key, of which this is the thumbprint.

    A code may be renewed between that proof and the act; then another phone's claim stands there,
    and the caller is nobody any more.
    """

    enrolment_id: str
    thumbprint: str


def find(unit: UnitOfWork, enrolment_id: str) -> Enrolment:
    """Return an enrolment, of whomever."""
    found = unit.enrolments.find(enrolment_id)
    if found is None:
        raise CodeNotUsable
    return found


def locked(unit: UnitOfWork, enrolment_id: str) -> Enrolment:
    """Return an enrolment as it is once nobody else writes about its user."""
    unit.users.lock(find(unit, enrolment_id).user_id)
    return find(unit, enrolment_id)


def of_caller(enrolment: Enrolment, phone: Caller) -> Enrolment:
    """Return the enrolment, if it is bound to the phone that calls."""
    if claim_of(enrolment).thumbprint != phone.thumbprint:
        raise CodeNotUsable
    return enrolment


def running(
    unit: UnitOfWork, enrolment: Enrolment, *, completed: bool = False
) -> tuple[Enrolment, Instance]:
    """Return the enrolment with its Get, which must still run (or be completed)."""
    instance = unit.instances.get(enrolment.instance_id)
    if completed and instance.state is InstanceState.COMPLETED:
        return enrolment, instance
    if enrolment.closed or not instance.running or instance.over(unit.now):
        raise CodeNotUsable
    return enrolment, instance


def usable(
    unit: UnitOfWork, phone: Caller, *, completed: bool = False
) -> tuple[Enrolment, Instance]:
    """Return the enrolment of a phone whose Get still runs, with its user locked."""
    return running(unit, of_caller(locked(unit, phone.enrolment_id), phone), completed=completed)


def claim_of(enrolment: Enrolment) -> Claim:
    """Return which phone has claimed an enrolment."""
    if enrolment.claim is None:
        raise CodeNotUsable
    return enrolment.claim


def actor_of(enrolment: Enrolment) -> Actor:
    """Return as whom a phone stands in the audit."""
    return Actor(ActorKind.DEVICE, enrolment.id)
