"""The product's words for the script engine: options, user attributes, the shipped scripts, `evaluate`."""

from mobid.optionscripts.evaluation import ExpiringScripts, OptionScripts, ScriptLanguage
from mobid.optionscripts.manual import manual
from mobid.optionscripts.released import sample_user
from mobid.optionscripts.shipped import (
    EXPIRING_NAME,
    NAMES,
    SCRIPT_NAME,
    SHIPPED,
    SHIPPED_EXPIRING,
    SHIPPED_VERSION_0,
)
from mobid.optionscripts.stored_tests import ENDING, plain_tests, shown
from mobid.optionscripts.stub import stub
from mobid_scripts.limits import Limits

__all__ = [
    "ENDING",
    "EXPIRING_NAME",
    "NAMES",
    "SCRIPT_NAME",
    "SHIPPED",
    "SHIPPED_EXPIRING",
    "SHIPPED_VERSION_0",
    "ExpiringScripts",
    "Limits",
    "OptionScripts",
    "ScriptLanguage",
    "manual",
    "plain_tests",
    "sample_user",
    "shown",
    "stub",
]
