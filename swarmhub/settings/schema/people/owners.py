"""People's own UID and GID: from files in the form of /etc/passwd and /etc/group, or from claims of the provider."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from hub.shared.people.userlist import normal
from swarmhub.settings.schema.grammar import LARGEST, Table, file_path, misplaced, word

CLAIM = re.compile(r"[^\s\0-\x1f\x7f]{1,200}")
RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})")
CLAIMS = ("uid", "gid", "gids")

Claim = Annotated[str, AfterValidator(word(CLAIM, "the name of a claim, such as uidNumber"))]


class Numbers(NamedTuple):
    """A user's UID and GID."""

    uid: int
    gid: int


def _range(value: str) -> str:
    found = RANGE.fullmatch(value)
    if not found or not 0 < int(found[1]) <= int(found[2]) <= LARGEST:
        raise ValueError(f'{value!r} is no range of numbers above 0, such as "1000-59999"')
    return value


def _passwd(value: object, info: ValidationInfo) -> Mapping[str, Numbers]:
    found: dict[str, Numbers] = {}
    for name, uid, gid in _fields(value, info, "NAME:x:UID:GID:…", 3):
        numbers = Numbers(int(uid), int(gid))
        if found.setdefault(normal(name), numbers) != numbers:
            raise ValueError(f"{value}: {name!r} has two lines, with other numbers; keep one")
    return found


def _group(value: object, info: ValidationInfo) -> Mapping[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for _, gid, *names in _fields(value, info, "NAME:x:GID:MEMBER,MEMBER", 2):
        members = (one.strip() for one in ":".join(names).split(",") if one.strip())
        found[int(gid)] = (*found.get(int(gid), ()), *map(normal, members))
    return found


def _fields(value: object, info: ValidationInfo, form: str, count: int) -> Iterator[list[str]]:
    """Yield a line's fields without the password: a name, numbers, and what comes then of a group."""
    file = file_path(value, info)
    for number, line in enumerate(_text(file).splitlines(), 1):
        name, *rest = line.split(":")
        if not line.strip() or line.startswith(("#", "+", "-")):
            continue  # a comment, or NIS
        fields = [name, *rest[1:]]
        if not name or len(fields) < count or not all(re.fullmatch("[0-9]{1,10}", one, re.ASCII) for one in fields[1:count]):
            # Behind the name may be the hash of a password.
            raise ValueError(f"{file}:{number}: the line of {name[:60]!r} is none such as {form}")
        yield fields[: count + (form.endswith("MEMBER"))]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{file}: {(error.strerror or str(error)).lower()}; make it by: getent passwd > {file.name}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8; save it as UTF-8") from None


Range = Annotated[str, AfterValidator(_range)]
Passwd = Annotated[Mapping[str, Numbers], BeforeValidator(_passwd, json_schema_input_type=str)]
GroupFile = Annotated[Mapping[int, tuple[str, ...]], BeforeValidator(_group, json_schema_input_type=str)]


class Owners(Table):
    """People's own UID and GID, as the files of an institute's NFS have them: each server runs as its user's."""

    passwd: Passwd | None = Field(
        None, description="A file in the form of `/etc/passwd` (`getent passwd > hub/passwd`): each user's UID and GID."
    )
    group: GroupFile | None = Field(None, description="For `passwd`: a file in the form of `/etc/group`, for more groups.")
    uid_claim: Claim | None = Field(
        None,
        description="Instead of `passwd`: the provider's claim with a user's UID: `uidNumber`, or `attributes.uidNumber`.",
    )
    gid_claim: Claim | None = Field(None, description="For `uid_claim`: the GID. Default: that of `home.owner`, for everybody.")
    gids_claim: Claim | None = Field(None, description="For `uid_claim`: a list of more GIDs.")
    range: Range = Field(
        "1000-2147483647", description="UIDs that servers may run as, and for claims GIDs, too. Nobody else gets a server."
    )

    @property
    def handed(self) -> Mapping[str, Any]:
        """Return what the hub and its filter go by; nothing where servers run as their image says."""
        if self.uid_claim is None and self.passwd is None:
            return {}
        lowest, highest = map(int, self.range.split("-"))
        claims = {key: claim for key in CLAIMS if (claim := getattr(self, f"{key}_claim"))}
        more: dict[str, list[int]] = {}
        for gid, members in (self.group or {}).items():
            for name in members if gid else ():
                more.setdefault(name, []).append(gid)
        users = {
            name: [uid, gid, [one for one in more.get(name, ()) if one != gid]]
            for name, (uid, gid) in (self.passwd or {}).items()
            if lowest <= uid <= highest and gid
        }
        return {"users": users, "claims": claims, "range": [lowest, highest]}

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.uid_claim and self.passwd is not None:
            raise misplaced("clashes with 'passwd'; keep one of the two", "uid_claim")
        for key in CLAIMS[1:]:
            if getattr(self, f"{key}_claim") and not self.uid_claim:
                raise misplaced("goes with 'uid_claim'", f"{key}_claim")
        if self.group is not None and self.passwd is None:
            raise misplaced("goes with 'passwd', which says who has a UID; from the provider: gids_claim", "group")
        return self
