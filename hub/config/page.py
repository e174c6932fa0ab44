"""What people see first: the hub's name, what it is, its logo and its announcement."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hub import TEMPLATES
from hub.api.use import stops
from hub.config.people.login import ANOTHER
from hub.config.people.providers import REFUSED
from hub.shared import announcement
from hub.shared.announcement import Announced

# An address ends before what closes the sentence or the parenthesis around it.
ADDRESS = re.compile(r"""(https://(?:[^\s<>"'()]|\([^\s<>"'()]*\))+(?<![.,:;!?]))""")


def configure(c: Any, page: Mapping[str, str], folder: Path, data: Path) -> None:
    """Set JupyterHub's templates and what they show; `folder` holds the logo, where there is one."""
    announced = Announced(page["announcement"], data / announcement.NAME)
    c.JupyterHub.tornado_settings = {announcement.SETTING: announced}
    # An authenticator's own page of the same name is not to hide the hub's.
    c.JupyterHub.template_paths = [str(TEMPLATES), *c.JupyterHub.get("template_paths", [])]
    logo = next(folder.glob("logo.*"), None)
    if logo:
        c.JupyterHub.logo_file = str(logo)
    c.JupyterHub.template_vars = {
        # JupyterHub asks for each page that it shows.
        "announcement": lambda user: html(announcement.in_force(announced)),
        "page_stops": stops,
        "page_name": page["name"],
        "page_about": html(page["about"]),
        "page_has_logo": logo is not None,
        "page_refused": (REFUSED, ANOTHER),
    }


def html(text: str) -> Markup:
    """Return a text as HTML: https addresses are links, lines are lines, and all else stands there as it was written."""
    lines = (Markup().join(_linked(ADDRESS.split(line))) for line in text.split("\n"))
    return Markup("<br>").join(lines)


def _linked(parts: list[str]) -> list[str]:
    """Make a link of every second part."""
    link = Markup('<a href="{0}">{0}</a>')
    return [link.format(part) if place % 2 else part for place, part in enumerate(parts)]
