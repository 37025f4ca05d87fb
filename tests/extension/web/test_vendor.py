"""Files of others: exactly what their makers published, with its licence, loading nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from mobid import web

VENDOR = Path(web.__file__).parent / "assets" / "vendor"
ENTRIES: list[dict[str, Any]] = json.loads((VENDOR / "vendor.json").read_text("utf-8"))


def test_files_are_what_was_published() -> None:
    """The hash is that of the file in the package whose integrity stands beside it."""
    for entry in ENTRIES:
        content = (VENDOR / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        algorithm, _, digest = entry["integrity"].partition("-")
        assert (algorithm, len(base64.b64decode(digest))) == ("sha512", 64)


def test_every_file_is_listed_and_licensed() -> None:
    """Nothing lies there that nobody knows the origin of."""
    listed = {name for entry in ENTRIES for name in (entry["file"], entry["licence_file"])}
    assert {path.name for path in VENDOR.iterdir()} == listed | {"vendor.json"}
    for entry in ENTRIES:
        licence = (VENDOR / entry["licence_file"]).read_text("utf-8")
        assert entry["licence_title"] in licence


def test_style_sheets_load_nothing() -> None:
    """No page sends its readers to another host for a font or a picture."""
    for sheet in VENDOR.parent.rglob("*.css"):
        text = sheet.read_text("utf-8")
        assert "@import" not in text
        assert all(url.startswith('"data:') for url in re.findall(r"url\(([^)]*)", text)), sheet
