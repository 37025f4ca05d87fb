"""The product's words for the script engine: options, user attributes, the shipped script, `evaluate`."""

from mobid.optionscripts.evaluation import OptionScripts
from mobid.optionscripts.shipped import SCRIPT_NAME, SHIPPED_VERSION_0
from mobid_scripts.errors import RequestTooLarge
from mobid_scripts.limits import Limits

__all__ = [
    "SCRIPT_NAME",
    "SHIPPED_VERSION_0",
    "Limits",
    "OptionScripts",
    "RequestTooLarge",
]
