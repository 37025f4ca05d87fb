"""The JSON interfaces: what phones, front ends, SCIM clients and administrators call."""

from mobid.api.problems import Problems
from mobid.api.registration import register

__all__ = ["Problems", "register"]
