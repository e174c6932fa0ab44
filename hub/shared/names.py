"""Whose server it is, by names that Docker and file systems take."""

import string
from collections.abc import Callable
from dataclasses import dataclass

from escapism import escape

LETTERS = {*string.ascii_lowercase, *string.digits}


@dataclass(frozen=True)
class Names:
    """What a template may name: a user, the server's name if it has one, and the profile."""

    user: str
    server: str = ""
    profile: str = ""

    @property
    def docker(self) -> dict[str, str]:
        """Return them as they may stand in the name of a volume or service; no two become one."""
        return self._filled(of_docker)

    @property
    def folder(self) -> dict[str, str]:
        """Return them as they may stand in a path: as they are, as far as that leads nowhere else."""
        return self._filled(_of_folder)

    def _filled(self, safe: Callable[[str], str]) -> dict[str, str]:
        return {"username": safe(self.user), "servername": safe(self.server), "profile": safe(self.profile)}


def of_docker(text: str) -> str:
    """Escape a text as dockerspawner does: lower case, digits, and "-" before what is neither."""
    return str(escape(text, safe=LETTERS, escape_char="-")).lower()


def _of_folder(text: str) -> str:
    escaped = str(escape(text, safe=LETTERS | {*string.ascii_uppercase, *"-_."}, escape_char="%"))
    return f"%2E{escaped[1:]}" if escaped.startswith(".") else escaped
