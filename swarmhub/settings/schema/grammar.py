"""The words that may stand in `hosts.toml`, each with a sentence for the one that may not."""

import re
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationInfo
from pydantic_core import PydanticCustomError

from hub.shared.people.userlist import LONGEST, is_name, normal, normal_group, wrong_name

LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# What ssh takes: underscores, which DNS would not, and the dot at the end of a whole name.
HOST_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
HOST = re.compile(rf"{HOST_LABEL}(?:\.{HOST_LABEL})*\.?", re.IGNORECASE | re.ASCII)
# With the interface that such an address may need: fe80::1%eth0.
IPV6 = re.compile(r"[0-9a-f:.]+(?:%[a-z0-9_.-]{1,15})?", re.IGNORECASE | re.ASCII)
# An address is none: no certificate and no OAuth callback is for one.
DOMAIN = re.compile(rf"(?!.*\.[0-9]+\Z){LABEL}(?:\.{LABEL})+")
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
# distribution/reference: [registry[:port]/]path[:tag][@digest]
# Swarm's rule for a service, Docker's for an image, and room for "-github_client_secret-" and a version in 64.
SERVICE = re.compile(r"(?=.{1,30}\Z)[a-z0-9](?:[_-]?[a-z0-9])*")
IMAGE = re.compile(
    rf"(?:(?:{LABEL}(?:\.{LABEL})*)(?::[0-9]{{1,5}})?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
# What Linux takes for an interface, without what looks like an address: every host has another one.
INTERFACE = re.compile(r"(?=.{1,15}\Z)[a-zA-Z][a-zA-Z0-9_.-]*")
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
URL = re.compile(rf"https://{LABEL}(?:\.{LABEL})*(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~/-]*)?", re.IGNORECASE | re.ASCII)
# Who trusts half of the internet trusts anybody.
SHORTEST_PREFIX = 8
# A network has an address of its own, a broadcast's and a gateway's; Docker chooses networks of /24.
LONGEST_PREFIX, NETWORK_PREFIX = 29, 24
# PEP 508's names, extras and versions. An address would be in the lock, and an option would be the resolver's.
VERSIONS = r"(?:~=|==|!=|<=|>=|<|>) ?[A-Za-z0-9.!+*_-]+"
PACKAGE = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._-]+(?:, ?[A-Za-z0-9._-]+)*\])?"
    rf"(?: ?{VERSIONS}(?:, ?{VERSIONS})*)?",
    re.ASCII,
)
OPTION = re.compile(r"[A-Za-z0-9/:][A-Za-z0-9_.:/=,@+-]*")
# CIFS has several names for it.
PASSWORD_OPTION = re.compile(r"(?i)(?:.*,)?\s*(?:pass|passwd|password)2?=.*")
READABLE = (
    "a password here could be read by `docker service inspect`; mount the share on every node (fstab, credentials=FILE) and "
    "use type = 'path'"
)
TEXT = re.compile(r"[^\0-\x1f\x7f]*")
LINES = re.compile(r"[^\0-\x09\x0b-\x1f\x7f]*")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BASE_PATH = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/?)*")
OWNER = re.compile(r"[0-9]{1,10}:[0-9]{1,10}", re.ASCII)
# What Linux has of a user's or a group's number; the last one means none.
LARGEST = 2**32 - 2
# The user of an SSH address is no secret; a token of conda's is in the path.
PASSWORD = re.compile(
    r"(?i)https?://[^/\s@]+@|://[^/\s@:]+:[^/\s@]+@|/t/[a-z]+-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:/|\s|$)"
)
# What restic takes for a repository, of the kinds that are tried; no user's password. An IPv6 address needs the form with //.
PORT = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
SERVER = rf"(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[(?P<IPV6>[0-9A-Fa-f:.]+)\])(?::{PORT})?"
REPOSITORIES = (
    re.compile(r"sftp:(?:[A-Za-z0-9._@-]+@)?[A-Za-z0-9_][A-Za-z0-9._-]*:[A-Za-z0-9_./@+-]*", re.ASCII),
    re.compile(rf"sftp://(?:[A-Za-z0-9._-]+@)?{SERVER}/[A-Za-z0-9_./@+-]*", re.ASCII),
    re.compile(rf"s3:(?:https?://)?{SERVER}/[A-Za-z0-9_./-]+", re.ASCII),
    re.compile(rf"rest:https?://{SERVER}/[A-Za-z0-9_./-]*", re.ASCII),
    re.compile(r"(?!.*/\.\.?(?:/|\Z))/[A-Za-z0-9_./@+-]+", re.ASCII),
)
KEEP = re.compile(r"[1-9][0-9]{0,3}[hdwmy](?: [1-9][0-9]{0,3}[hdwmy]){0,4}", re.ASCII)
# A path in a container or on a host, without what would lead out of it, and no space that nobody sees.
ABSOLUTE = re.compile(r"(?!.*(?:/\.\.?| )(?:/|\Z))/[A-Za-z0-9_./ @+-]*")
WHOLE = "an absolute path of letters a-z, digits, '_', '.', '-', '@', '+' and spaces within names, such as"
# A path is quoted wherever it is used; what a shell would act on has no honest use in one.
PATH = re.compile(r"[^\0-\x1f\x7f`$;&|<>\"'*?!()\[\]{}\\]+")


class Table(BaseModel):
    """A table of `hosts.toml`: frozen, and without keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


def word(pattern: re.Pattern[str], right: str) -> Callable[[str], str]:
    """Return what makes sure that a value is `right`."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"{value!r} is not {right}")
        return value

    return check


def _host(value: str) -> str:
    with suppress(ValueError):
        if IPV6.fullmatch(value) and IPv6Address(value):
            return value
    return word(HOST, "a host name or address: user, port and key belong in the ssh_config")(value)


def _option(value: str) -> str:
    if PASSWORD_OPTION.fullmatch(value):
        raise ValueError(READABLE)
    return word(OPTION, "a driver option: letters, digits and _.:/=,@+-")(value)


Host = Annotated[str, AfterValidator(_host)]
# Of a mount.
FileServer = Annotated[str, AfterValidator(word(HOST, "a file server's name or IPv4 address, without a path"))]
Domain = Annotated[
    str,
    AfterValidator(
        word(DOMAIN, "a domain name in lower case, such as hub.example.org: no https://, port or address; ü is written as xn--")
    ),
]
ServiceName = Annotated[
    str, AfterValidator(word(SERVICE, "a service's name: lower case, digits, and single '-' or '_' between them, at most 30"))
]
Name = Annotated[str, AfterValidator(word(NAME, "a Docker name: letters, digits, '_', '.', '-', at most 63"))]
Image = Annotated[str, AfterValidator(word(IMAGE, "an image, such as quay.io/jupyter/base-notebook:hub-6.1.1"))]
Interface = Annotated[str, AfterValidator(word(INTERFACE, "a network interface that all hosts have, such as eth1"))]
Email = Annotated[str, AfterValidator(word(EMAIL, "an e-mail address"))]
HttpsUrl = Annotated[str, AfterValidator(word(URL, "an https:// address without query or password"))]
Option = Annotated[str, AfterValidator(_option)]
# What a lock may name: by a hash, from an index.
IndexPackage = Annotated[
    str, AfterValidator(word(PACKAGE, "a Python package by its name, such as jupyterhub-ldapauthenticator>=2; no address"))
]


def _repository(value: str) -> str:
    found = next((match for one in REPOSITORIES if (match := one.fullmatch(value))), None)
    try:
        IPv6Address((found and found.groupdict().get("IPV6")) or "::1")
    except ValueError:
        found = None
    if found is None:
        right = (
            "sftp:USER@HOST:/PATH, sftp://USER@HOST:PORT//PATH, s3:https://HOST/BUCKET, rest:https://HOST/ or an absolute path"
        )
        raise ValueError(f"{value!r} is not {right}")
    return value


def _keep(value: str) -> str:
    word(KEEP, 'how many to keep, one an hour, day, week, month or year, such as "7d 4w 6m"')(value)
    kinds = [one[-1] for one in value.split()]
    if twice := next((one for one in kinds if kinds.count(one) > 1), ""):
        raise ValueError(f"{value!r} says twice how many to keep of {twice!r}")
    return value


Repository = Annotated[str, AfterValidator(_repository)]
Keep = Annotated[str, AfterValidator(_keep)]


def _network(value: str) -> IPv4Network:
    try:
        return IPv4Network(value)
    except ValueError as error:
        why = "it is an IPv6 one" if ":" in value else error
        raise ValueError(f"{value!r} is not an IPv4 subnet, such as 10.20.0.0/16: {why}") from None


def _subnet(value: str) -> str:
    found = _network(value)
    if not SHORTEST_PREFIX <= found.prefixlen <= LONGEST_PREFIX:
        raise ValueError(
            f"{value!r} has {found.num_addresses} addresses; name a subnet of /{SHORTEST_PREFIX} to /{LONGEST_PREFIX}, "
            "such as 10.20.0.0/16"
        )
    if found.is_loopback or found.is_link_local or found.is_multicast or found.is_reserved or found.is_unspecified:
        raise ValueError(f"{value!r} has addresses that no container can have; name a subnet such as 10.20.0.0/16")
    return str(found)


def _pool(value: str) -> str:
    if _network(_subnet(value)).prefixlen > NETWORK_PREFIX:
        raise ValueError(f"{value!r} has no room for one network of Docker's, a /{NETWORK_PREFIX}; name a larger one")
    return str(_network(value))


def _peer(value: str) -> str:
    found = _network(value)
    if found.prefixlen < SHORTEST_PREFIX or found.is_loopback:
        raise ValueError(
            f"{value!r} is no reverse proxy's address, such as 10.1.2.3 or 10.1.2.0/28: what it says of clients counts"
        )
    return str(found)


def _base_path(value: str) -> str:
    if "//" in value or not BASE_PATH.fullmatch(value):
        raise ValueError(f"{value!r} is no path, such as /jupyter/")
    return f"{value.rstrip('/')}/"


def package(value: str) -> str:
    """Check a Python package as pip takes it, with its version; nothing of it is read by a shell.

    Raises:
        ValueError: it is none, or has a password that everybody could read who has the image.

    """
    from packaging.requirements import InvalidRequirement, Requirement  # most settings name no package

    try:
        Requirement(word(TEXT, "a line of text")(value))
    except InvalidRequirement as error:
        cause = str(error).splitlines()[0]
        raise ValueError(f"{value!r} is no Python package, such as 'numpy>=2': {cause}") from None
    return without_password(value)


def without_password(value: str) -> str:
    """Make sure that no address in a text has a password or a token.

    Raises:
        ValueError: one has; the message does not show it.

    """
    if PASSWORD.search(value):
        raise ValueError("has an address with a password or a token: everybody who has the image could read it")
    return value


Subnet = Annotated[str, AfterValidator(_subnet)]
Pool = Annotated[str, AfterValidator(_pool)]
Package = Annotated[str, AfterValidator(package)]
# Of a line that everybody may read.
OpenText = Annotated[str, AfterValidator(word(TEXT, "a line of text")), AfterValidator(without_password)]
Peer = Annotated[str, AfterValidator(_peer)]
BasePath = Annotated[str, AfterValidator(_base_path)]


# Docker's and JupyterHub's units: powers of 1024.
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE | re.ASCII)
_SIZES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# Docker starts no container with less memory, and the kernel has no smaller share of a CPU. What is above the others is a slip,
# and far above them no number of Docker's.
LEAST_MEMORY, LEAST_CPUS = 6 * 2**20, 0.01
MOST_SIZE, MOST_CPUS, MOST_COUNT, MOST_DAYS = 2**50, 1024, 2**22, 36500
_DURATION = re.compile(r"(?:[0-9]+[smhd])+", re.ASCII)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PLACEHOLDERS = ("username", "servername", "profile")


def _size(value: object) -> int:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    size = int(float(found[1]) * _SIZES[found[2].upper()]) if found else 0
    if not size:
        raise ValueError(f'{value!r} is no size, such as "512M" or "2G"')
    if size > MOST_SIZE:
        raise ValueError(f"{value!r} is more than 1024T")
    return size


def _memory(size: int) -> int:
    if size < LEAST_MEMORY:
        raise ValueError("is too little: Docker starts no container with less than 6M of memory")
    return size


def seconds(value: object) -> int:
    """Return a length of time in seconds, such as 10m or 180d.

    Raises:
        ValueError: it is none.

    """
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(f'{value!r} is no length of time, such as "90s", "10m", "1h30m" or "7d"')
    found = sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([smhd])", value))
    if not found:
        raise ValueError(f"{value!r} is no time at all")
    if found > MOST_DAYS * _SECONDS["d"]:
        raise ValueError(f"{value!r} is more than a hundred years")
    return found


def _time_of_day(value: object) -> int:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f'{value!r} is no time of day, such as "03:00"')
    return int(found[1]) * 3600 + int(found[2]) * 60


def _cpus(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_CPUS <= value <= MOST_CPUS:
        raise ValueError(f"{value!r} is no number of CPUs from {LEAST_CPUS} to {MOST_CPUS}, such as 0.5 or 2")
    return float(value)


def _template(value: str) -> str:
    rest = value
    for name in _PLACEHOLDERS:
        rest = rest.replace(f"{{{name}}}", "x")
    if rest and not NAME.fullmatch(rest):
        known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
        raise ValueError(f"{value!r} is no name: letters, digits, '_', '.', '-', and {known}")
    return value


Size = Annotated[int, BeforeValidator(_size, json_schema_input_type=str)]
Memory = Annotated[Size, AfterValidator(_memory)]
Duration = Annotated[int, BeforeValidator(seconds, json_schema_input_type=str)]
TimeOfDay = Annotated[int, BeforeValidator(_time_of_day, json_schema_input_type=str)]
Cpus = Annotated[float, BeforeValidator(_cpus, json_schema_input_type=float)]
Count = Annotated[StrictInt, Field(ge=1, le=MOST_COUNT)]
Template = Annotated[str, AfterValidator(_template)]
Text = Annotated[str, AfterValidator(word(TEXT, "a line of text"))]
Lines = Annotated[str, AfterValidator(word(LINES, "text without control characters")), AfterValidator(str.strip)]


def _user(value: str) -> str:
    if wrong := wrong_name(value, ""):
        raise ValueError(wrong)
    return normal(value)


def _group(value: str) -> str:
    if not is_name(value):
        raise ValueError(f"{value!r} is no name of a group: no space at an end, nothing invisible, at most {LONGEST}")
    return normal_group(value)


def _owner(value: str) -> str:
    if not OWNER.fullmatch(value) or any(int(number) > LARGEST for number in value.split(":")):
        raise ValueError(f"{value!r} is not a user's and a group's number, such as 1000:100")
    return value


User = Annotated[str, AfterValidator(_user)]
Group = Annotated[str, AfterValidator(_group)]
Variable = Annotated[str, AfterValidator(word(VARIABLE, "a variable's name: letters, digits and '_'"))]
Owner = Annotated[str, AfterValidator(_owner)]
ContainerPath = Annotated[str, AfterValidator(word(ABSOLUTE, f"{WHOLE} /home/jovyan"))]
ServerPath = Annotated[str, AfterValidator(word(ABSOLUTE, f"{WHOLE} /srv/homes"))]


def file_path(value: object, info: ValidationInfo) -> Path:
    """Return the path of a file that a value names, from the folder of `hosts.toml`."""
    if not isinstance(value, str | Path) or not PATH.fullmatch(str(value)):
        raise ValueError(f"{value!r} is not a file's path; a shell's metacharacters are not allowed in it")
    folder = Path((info.context or {}).get("folder", ""))
    try:
        return folder / Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"{value!r} begins with the home of somebody who has none here") from None


FilePath = Annotated[Path, BeforeValidator(file_path, json_schema_input_type=str)]


def misplaced(wrong: str, *at: str | int) -> PydanticCustomError:
    """Return the error of a value that clashes with another; `at` is the key to change, below the validated table."""
    return PydanticCustomError("misplaced", "{wrong}", {"wrong": wrong, "at": at})


def full_image(value: str) -> str:
    """Return an image reference with its tag spelt out: an engine pulls every tag of a bare name."""
    name = value.partition("@")[0]
    return value if "@" in value or ":" in name.rpartition("/")[2] else f"{value}:latest"
