"""QR pictures: what a phone reads from them, on any ground, and what a page may do with them."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from mobid import qr

LINK = "https://mobile-id.example.org/e#1.k7Qf3mXb2Zt9Yp4LcR8sVd1WnHaJuE6GoTiMq0BxKeU"
SVG = "{http://www.w3.org/2000/svg}"
RUN = re.compile(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z")


def read(picture: Image.Image) -> list[str]:
    """Return the texts of all QR codes that a reader finds."""
    return [found.text for found in zxingcpp.read_barcodes(picture)]


def from_png(data: bytes) -> Image.Image:
    """Open a PNG as a browser would show it."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def drawn(element: ET.Element, *, scale: int = 6) -> Image.Image:
    """Draw rect and path of one of our SVGs, and nothing that it does not say."""
    side = int(element.attrib["viewBox"].split()[2])
    picture = Image.new("RGB", (side * scale, side * scale), "navy")
    pen = ImageDraw.Draw(picture)
    ground, modules = element.find(f"{SVG}rect"), element.find(f"{SVG}path")
    assert ground is not None
    assert modules is not None
    width, height = int(ground.attrib["width"]), int(ground.attrib["height"])
    pen.rectangle((0, 0, width * scale - 1, height * scale - 1), fill=ground.attrib["fill"])
    assert RUN.sub("", modules.attrib["d"]) == ""
    for run in RUN.finditer(modules.attrib["d"]):
        x, y, length, back = (int(number) for number in run.groups())
        assert length == back
        corner = ((x + length) * scale - 1, (y + 1) * scale - 1)
        pen.rectangle((x * scale, y * scale, *corner), fill=modules.attrib["fill"])
    return picture


def on(ground: str, picture: Image.Image) -> Image.Image:
    """Put a picture into the middle of a larger page of one colour."""
    page = Image.new("RGB", (picture.width + 400, picture.height + 400), ground)
    page.paste(picture, (200, 200))
    return page


class TestPNG:
    """The picture for mails and downloads."""

    def test_a_reader_finds_the_link(self) -> None:
        """The picture says exactly the text that it was made of."""
        assert read(from_png(qr.png(LINK))) == [LINK]

    @pytest.mark.parametrize("ground", ["black", "#11191f", "white", "gray"])
    def test_a_page_of_any_colour_may_hold_it(self, ground: str) -> None:
        """The white ground and the quiet zone are part of the picture."""
        assert read(on(ground, from_png(qr.png(LINK)))) == [LINK]

    def test_the_quiet_zone_is_four_white_modules(self) -> None:
        """ISO/IEC 18004: four modules on every side hold nothing dark."""
        picture = from_png(qr.png(LINK)).convert("L")
        dark = picture.point(lambda value: 255 - value).getbbox()
        assert dark == (32, 32, picture.width - 32, picture.height - 32)

    def test_it_is_small_enough_for_a_mail(self) -> None:
        """A link gives a picture of at most 2 kB."""
        assert len(qr.png(LINK)) < 2048


class TestSVG:
    """The picture for pages."""

    def test_a_reader_finds_the_link(self) -> None:
        """The runs of the path are the modules of the code."""
        element = ET.fromstring(qr.svg(LINK, "QR code"))  # noqa: S314  it is our own text
        assert read(drawn(element)) == [LINK]

    def test_a_dark_page_may_hold_it(self) -> None:
        """The white ground is a rect over the whole picture."""
        element = ET.fromstring(qr.svg(LINK, "QR code"))  # noqa: S314  it is our own text
        assert read(on("black", drawn(element))) == [LINK]

    def test_it_is_an_image_with_a_label(self) -> None:
        """A screen reader hears one image and its label, not a heap of shapes."""
        element = ET.fromstring(qr.svg(LINK, "Scan this"))  # noqa: S314  it is our own text
        assert element.attrib["role"] == "img"
        assert element.attrib["aria-label"] == "Scan this"

    @given(label=st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn"))))
    @settings(max_examples=25, deadline=None)
    def test_a_label_can_not_leave_its_attribute(self, label: str) -> None:
        """Whatever the label is, it stays the value of aria-label, and nothing is added."""
        element = ET.fromstring(qr.svg("x", label))  # noqa: S314  it is our own text
        assert element.attrib["aria-label"] == label
        assert [child.tag for child in element] == [f"{SVG}rect", f"{SVG}path"]

    def test_it_needs_no_inline_style_and_no_script(self) -> None:
        """A page with a strict Content-Security-Policy shows it as it is."""
        text = qr.svg(LINK, "QR code")
        assert "style" not in text
        assert "<script" not in text

    def test_the_secret_is_not_in_the_clear(self) -> None:
        """Who searches a page's source for the token finds nothing."""
        assert LINK.split("#1.")[1] not in qr.svg(LINK, "QR code")

    def test_runs_are_joined(self) -> None:
        """A run of dark modules is one piece of path, so that a page polls 6 kB and not 10."""
        assert len(qr.svg(LINK, "QR code")) < 6 * 1024


class TestTexts:
    """What can be said by a picture."""

    @given(text=st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1))
    @settings(max_examples=20, deadline=None)
    def test_any_text_is_read_back_from_both(self, text: str) -> None:
        """PNG and SVG say the same."""
        element = ET.fromstring(qr.svg(text, "QR code"))  # noqa: S314  it is our own text
        assert read(from_png(qr.png(text))) == read(drawn(element)) == [text]

    @pytest.mark.parametrize("length", [0, 501])
    def test_a_text_of_unfit_length_is_refused(self, length: int) -> None:
        """An empty picture is no picture, and a dense one is not readable."""
        with pytest.raises(ValueError, match=f"1 to 500 characters; this text has {length}"):
            qr.png("x" * length)
        with pytest.raises(ValueError, match=f"this text has {length}"):
            qr.svg("x" * length, "QR code")

    def test_the_refusal_does_not_show_the_text(self) -> None:
        """The text of a picture is a secret, in an error message too."""
        with pytest.raises(ValueError, match="characters") as refusal:
            qr.png("secret" * 100)
        assert "secret" not in str(refusal.value)
