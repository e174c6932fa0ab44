"""The logo that goes into the hub's image."""

from xml.etree import ElementTree

MOST = 2**20
SVG = "{http://www.w3.org/2000/svg}"
# By these a picture that somebody opens by its address could act in the name of whoever is logged in.
ACTIVE = {"script", "foreignObject"}


def kind(content: bytes) -> str:
    """Return which kind of image a file is, as its ending says it.

    Raises:
        ValueError: it is none that browsers show everywhere, it is too large, or it holds a script.

    """
    if len(content) > MOST:
        raise ValueError(f"has {len(content) / MOST:.1f} MB; a logo has at most 1 MB, and 200 pixels are enough")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    _check_svg(content)
    return "svg"


def _check_svg(content: bytes) -> None:
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - the operator's own file, and expat limits what entities grow to
    except (ElementTree.ParseError, LookupError, ValueError):  # no XML, or in an encoding that nobody knows
        root = None
    if root is None or root.tag != f"{SVG}svg":
        raise ValueError("is no PNG, JPEG or SVG image")
    if any(element.tag.rpartition("}")[2] in ACTIVE or _acts(element.attrib) for element in root.iter()):
        raise ValueError("holds a script; export it as plain SVG")


def _acts(attributes: dict[str, str]) -> bool:
    return any(name.startswith("on") or "javascript:" in value.lower() for name, value in attributes.items())
