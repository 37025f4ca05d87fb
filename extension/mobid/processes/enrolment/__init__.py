"""The phone's side of Get: claim the code, send keys, fetch certificates, confirm; later status and remove.

The caller (the device API) has checked the signature of the phone's device key; here is decided
what that phone may do. Unknown, used, expired and foreign codes are all refused alike.
"""

from mobid.processes.enrolment.answers import Claimed, IssuedCertificate, Result, ResultPending
from mobid.processes.enrolment.binding import Caller
from mobid.processes.enrolment.phone_side import PhoneSide

__all__ = ["Caller", "Claimed", "IssuedCertificate", "PhoneSide", "Result", "ResultPending"]
