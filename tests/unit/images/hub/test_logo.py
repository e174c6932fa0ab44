"""Which files are taken for a logo."""

import pytest

from swarmhub.images.hub import logo

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'


def svg(inside: str) -> bytes:
    """Return an SVG file with something in it."""
    return SVG.format(inside).encode()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "jpg"),
        (svg("<circle r='1'/>"), "svg"),
        (b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n' + svg("<title>script</title>"), "svg"),
        (PNG.ljust(logo.MOST, b"\0"), "png"),
    ],
    ids=["png", "jpg", "svg", "svg with a head", "as large as may be"],
)
def test_the_kind_is_what_the_content_says(content: bytes, kind: str) -> None:
    """Whatever the file is named."""
    assert logo.kind(content) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"a picture",
        b"<html><svg/></html>",
        b"<svg/>",
        SVG.encode()[:-3],
        b"\x89PNG",
        b'<?xml version="1.0" encoding="hex"?><svg/>',
    ],
    ids=["empty", "gif", "text", "html", "svg without its namespace", "half an svg", "half a png", "no encoding"],
)
def test_what_is_no_image_is_refused(content: bytes) -> None:
    """A page with a broken picture is found before it is deployed."""
    with pytest.raises(ValueError, match=r"^is no PNG, JPEG or SVG image$"):
        logo.kind(content)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<g><script href='x'/></g>",
        "<circle onload='alert(1)'/>",
        "<a href=' JavaScript:alert(1)'/>",
        "<a xmlns:xlink='http://www.w3.org/1999/xlink' xlink:href='javascript:alert(1)'/>",
        "<foreignObject/>",
        "<set attributeName='href' to='javascript:alert(1)'/>",
        "<html:script xmlns:html='http://www.w3.org/1999/xhtml'>alert(1)</html:script>",
    ],
)
def test_a_picture_with_a_script_is_refused(inside: str) -> None:
    """The hub serves it from its own address, where a script could act for whoever is logged in."""
    with pytest.raises(ValueError, match="holds a script; export it as plain SVG"):
        logo.kind(svg(inside))


def test_a_picture_that_is_too_large_is_refused() -> None:
    """Everybody loads it on every page."""
    with pytest.raises(ValueError, match=r"has 1\.5 MB; a logo has at most 1 MB"):
        logo.kind(PNG.ljust(logo.MOST * 3 // 2, b"\0"))
