"""How one mobid is set up: its settings, its home directory and its own keys."""

from mobid.config.errors import (
    BrokenKey,
    ConfigError,
    Fault,
    HomeUnusable,
    InvalidSettings,
    KeyExists,
    KeyFileError,
    KeyMissing,
    UnsafeFile,
)
from mobid.config.home import create_home, is_home, key_folder
from mobid.config.keys import KeyFolder, Keys, read_keys
from mobid.config.load import load
from mobid.config.private import read_secret_file
from mobid.config.secret import Secret
from mobid.config.settings import (
    ANSWERS_IN_ALL,
    Guard,
    Limits,
    LogFormat,
    LogLevel,
    MailSecurity,
    MailSettings,
    ScriptRules,
    Settings,
    Times,
)
from mobid.config.sources import SETTINGS_FILE

__all__ = [
    "ANSWERS_IN_ALL",
    "SETTINGS_FILE",
    "BrokenKey",
    "ConfigError",
    "Fault",
    "Guard",
    "HomeUnusable",
    "InvalidSettings",
    "KeyExists",
    "KeyFileError",
    "KeyFolder",
    "KeyMissing",
    "Keys",
    "Limits",
    "LogFormat",
    "LogLevel",
    "MailSecurity",
    "MailSettings",
    "ScriptRules",
    "Secret",
    "Settings",
    "Times",
    "UnsafeFile",
    "create_home",
    "is_home",
    "key_folder",
    "load",
    "read_keys",
    "read_secret_file",
]
