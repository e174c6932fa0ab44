"""Whose server it is, by names that Docker and file systems take."""

import json
import re
import string
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from hub.shared.servers.mounts import HASH, digest

LETTERS = {*string.ascii_lowercase, *string.digits}
# Of a folder, for file systems: 255, less what the hub puts around it while it makes one.
LONGEST = 250
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Names:
    """What a template may name: a user, the server's name if it has one, and the profile."""

    user: str
    server: str = ""
    profile: str = ""

    def volume(self, template: str) -> str:
        """Fill in the name of a volume; no two users, servers and profiles that the template tells apart have the same.

        A name that could be somebody else's, too, ends in a hash: with `{username}-{servername}`, that of `a` and `2e.` is
        that of `a.` and `2e`. Values have no "_", so that no name without a hash is like one with a hash.
        """
        name = template.format(**self.docker)
        if _ways(template, name) == 1:
            return name
        used = {part: getattr(self, FIELDS[part]) for part in PLACEHOLDER.findall(template)}
        return f"{name}_{digest(json.dumps(used, sort_keys=True))}"

    def path(self, template: str) -> str:
        """Fill in the name of a folder; what stands between the template's parts stands in none of them.

        A name that file systems do not take, as letters that are not Latin take nine each, ends in a hash of the whole.
        """
        between = {*"".join(PLACEHOLDER.sub("\0", template).split("\0")[1:-1])} & {*"_."}
        values = self.folder
        for one in between:
            values = {part: value.replace(one, f"%{ord(one):02X}") for part, value in values.items()}
        whole = template.format(**values)
        # "%-" is in no other name: each "%" is followed by digits.
        return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - HASH - 2]}%-{digest(whole)}"

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


FIELDS = {"username": "user", "servername": "server", "profile": "profile"}


def _ways(template: str, text: str) -> int:
    """Return in how many ways a text can be read as a template that is filled in: the names before each place, from the end."""
    begins, *rest = PLACEHOLDER.split(template)
    ends = {at: end for at in range(len(text)) if (end := _letter(text, at))}
    ways = {len(text): 1}
    for part, literal in reversed([*zip(rest[::2], rest[1::2], strict=True)]):
        found: dict[int, int] = {}
        for at in range(len(text), -1, -1):
            here = ways.get(at + len(literal), 0) if text.startswith(literal, at) else 0
            found[at] = here + found.get(ends.get(at, -1), 0)
        # A user has a name.
        ways = {at: found.get(ends.get(at, -1), 0) for at in found} if part == "username" else found
    return ways.get(len(begins), 0)


def _letter(text: str, at: int) -> int:
    """Return where a letter ends that `of_docker` has written, or 0 where none begins."""
    if text[at] in LETTERS:
        return at + 1
    for size in range(3, 13, 3):
        written = text[at : at + size]
        with suppress(ValueError):  # no hexadecimal digits, or no whole letter yet
            if of_docker(bytes.fromhex(written.replace("-", "")).decode()) == written:
                return at + size
    return 0


def of_docker(text: str) -> str:
    """Escape a text as dockerspawner does: lower case, digits, and "-" before what is neither."""
    return _escaped(text, LETTERS, "-").lower()


def _of_folder(text: str) -> str:
    escaped = _escaped(text, LETTERS | {*string.ascii_uppercase, *"-_."}, "%")
    return f"%2E{escaped[1:]}" if escaped.startswith(".") else escaped


def _escaped(text: str, safe: Collection[str], mark: str) -> str:
    """Escape a text as escapism does, which swarmhub has not."""
    return "".join(one if one in safe else "".join(f"{mark}{byte:X}" for byte in one.encode()) for one in text)
