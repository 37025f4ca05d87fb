"""Announce something to a user by mail: a row, in the unit of work in which it happens.

What each letter says is decided when it is sent, from what is stored then: `mobid.processes.letters`
has the table of events and values. `mobid.processes.mail_work` sends.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from mobid.domain.instances import InstanceState
from mobid.domain.mails import Mail, MailEvent
from mobid.domain.options import Notify
from mobid.domain.work import Work

if TYPE_CHECKING:
    from datetime import datetime

    from mobid.domain.instances import Instance
    from mobid.domain.users import User
    from mobid.processes.ports import UnitOfWork

_TELL_SUCCESS: Final = frozenset({Notify.BOTH, Notify.SUCCESS})
_TELL_FAILURE: Final = frozenset({Notify.BOTH, Notify.FAILURE})


def notify(
    unit: UnitOfWork,
    event: MailEvent,
    *,
    user: User,
    subject_id: str,
    number: int = 1,
    to: str | None = None,
    give_up_at: datetime | None = None,
) -> None:
    """Tell a user of an event, at their address or the one given; nobody is told who has none.

    An event of a subject under a number is told once: the same again is nothing. `give_up_at` is
    for a letter that is worth nothing after some moment; without it, the time for notifications
    holds.
    """
    address = to or user.email
    if address is None:
        return
    unit.add(
        Mail(
            id=str(uuid.uuid4()),
            event=event,
            user_id=user.id,
            to=address,
            subject_id=subject_id,
            number=number,
            created_at=unit.now,
            give_up_at=give_up_at,
            work=Work().want(unit.now),
        )
    )


def tell_outcome(unit: UnitOfWork, ended: Instance) -> None:
    """Tell the owner of a Get how it ended, as far as the options of its script say so."""
    wish = ended.options.notify if ended.options else Notify.BOTH
    succeeded = ended.state is InstanceState.COMPLETED
    if wish in (_TELL_SUCCESS if succeeded else _TELL_FAILURE):
        event = MailEvent.GET_SUCCEEDED if succeeded else MailEvent.GET_FAILED
        notify(unit, event, user=unit.users.get(ended.user_id), subject_id=ended.id)
