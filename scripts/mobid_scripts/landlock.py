"""Landlock: no file, no TCP, no signal to others, as far as this kernel's version of it goes."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final

_CREATE, _RESTRICT = 444, 446
_FILE_RIGHTS: Final = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF}
_FILE_RIGHTS_SINCE_5: Final = 0xFFFF
_WITH_NET, _WITH_SCOPE = 4, 6
_REFUSED: Final = {
    errno.ENOSYS: "this kernel has no Landlock",
    errno.EOPNOTSUPP: "Landlock is switched off on this machine (kernel parameter lsm=)",
}


def put_up(libc: ctypes.CDLL) -> str:
    """Handle every right that this kernel knows and grant none; return why it does not stand, or nothing."""
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return _why()
    files = _FILE_RIGHTS.get(version, _FILE_RIGHTS_SINCE_5)
    has_net, has_scope = version >= _WITH_NET, version >= _WITH_SCOPE
    attributes = struct.pack("=QQQ", files, 3 if has_net else 0, 3 if has_scope else 0)
    size = 24 if has_scope else 16 if has_net else 8
    ruleset = libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return _why()
    refused = libc.syscall(_RESTRICT, ruleset, ctypes.c_uint32(0)) != 0
    why = _why() if refused else ""
    os.close(ruleset)
    return why


def _why() -> str:
    number = ctypes.get_errno()
    return (
        _REFUSED.get(number) or f"a filter around this process refuses it ({os.strerror(number)})"
    )
