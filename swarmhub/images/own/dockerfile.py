"""The Dockerfile of an image: which others it is built on, and the one for a folder that has none."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from swarmhub.settings.schema.grammar import IMAGE, full_image, package, without_password

APT, CONDA, PIP = "apt.txt", "environment.yml", "requirements.txt"
LISTS = (APT, CONDA, PIP)
# What hosts.toml names comes beside the operator's own files, which may have a packages.txt.
PACKAGES = "swarmhub-packages.txt"
# Debian's rule for a name, with an architecture and a version, whose end may be open.
APT_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?(?:=[A-Za-z0-9.+:~*-]+)?")
# What pip reads besides packages: options, paths and addresses.
NO_PACKAGE = re.compile(r"-|\.|\S*/|\S+\.(?:whl|zip|tar\.gz)(?:\s|$)")
INCLUDED = re.compile(r"^\s*(?:-[rc]|--requirement|--constraint)[\s=]*([^\s#]+)", re.MULTILINE)
WITH_VARIABLE = re.compile(r"\S*\$\S*")
HERE = "/tmp/swarmhub-build"  # noqa: S108 - in the build's container
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
# Programs bring authorities of their own: these are told of the system's, for as long as the build takes.
TRUSTING = f"export SSL_CERT_FILE={BUNDLE} REQUESTS_CA_BUNDLE={BUNDLE} PIP_CERT={BUNDLE}; "
TRUST = (
    "COPY ca/ /usr/local/share/ca-certificates/",
    "RUN if command -v update-ca-certificates >/dev/null; then update-ca-certificates; "
    f"else mkdir -p /etc/ssl/certs && cat /usr/local/share/ca-certificates/*.crt >> {BUNDLE}; fi",
)
CONDA_UPDATE = (
    "tool=$(command -v mamba || command -v conda) || "
    '{ echo "ERROR: the image has neither mamba nor conda, for environment.yml"; exit 1; }; '
    '"$tool" env update --name base --file environment.yml && "$tool" clean --all --force-pkgs-dirs --yes'
)
# What the docker-stacks' images have for what root has installed.
PERMISSIONS = 'if command -v fix-permissions >/dev/null; then fix-permissions "$CONDA_DIR"; fi'
ARGUMENT = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")
CONTINUED = re.compile(r"(?<!\\)\\[ \t]*$")
# What Docker takes for the beginning of a here-document, and in which instructions.
HERE_DOCUMENT = re.compile(r"(?:^|\s)\d*<<-?([\"']?)([^\s\"'<]+)\1(?=\s|$)")
WITH_DOCUMENTS = ("RUN", "COPY", "ADD")
# An option that names an image: of COPY, or of a mount of RUN.
FROM_IMAGE = re.compile(r"--(?:from=|mount=(?:.*,)?from=)([^,]+)")


def bases(text: str, arguments: Mapping[str, str]) -> list[str]:
    """Return the images that a Dockerfile begins with or takes files from, each once.

    Its own stages are none of them, nor is what only Docker can tell.
    """
    given: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    named: list[str] = []
    for word, *rest in _instructions(text):
        options = [*takewhile(lambda one: one.startswith("--"), rest)]
        if word == "ARG" and not named:
            for name, _, default in (one.partition("=") for one in rest):
                given[name] = arguments.get(name, _told(default.strip("\"'"), given))
        elif word == "FROM" and (parts := rest[len(options) :]):
            image = _told(parts[0].strip("\"'"), given)
            named.append("" if image.lower() in stages else image)
            stages |= {one.lower() for one in parts[2:3]}
        else:
            taken = (found[1] for one in options if (found := FROM_IMAGE.match(one)))
            named += [one for one in taken if not (one.isdecimal() or one.lower() in stages)]
    return list(dict.fromkeys(full_image(one) for one in named if IMAGE.fullmatch(one)))


def labelled(text: str, label: str) -> str:
    """Return a Dockerfile with one more label; a last line that goes on would take it in."""
    return f"{CONTINUED.sub('', text.rstrip())}\nLABEL {label}\n"


def _instructions(text: str) -> Iterator[list[str]]:
    """Yield the words of each instruction, the first in capitals: without comments and here-documents."""
    begun, lines = "", iter(text.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        begun += CONTINUED.sub(" ", line)
        if CONTINUED.search(line):
            continue
        word, *rest = begun.split()
        if word.upper() in WITH_DOCUMENTS:
            for _, end in HERE_DOCUMENT.findall(begun):
                next((one for one in lines if one.lstrip("\t") == end), "")
        yield [word.upper(), *rest]
        begun = ""


def _told(value: str, given: Mapping[str, str]) -> str:
    """Return a value with the arguments of a Dockerfile in it; those that only Docker knows stay as they are."""

    def told(one: re.Match[str]) -> str:
        name, default = one[1] or one[3], one[2]
        return given.get(name) or default or ("" if name in given else one[0])

    return ARGUMENT.sub(told, value)


def made(names: Sequence[str], apt: Sequence[str], label: str, *, trusts: bool) -> str:
    """Return the Dockerfile that installs what is in the files of a folder; `trusts` tells that ca/ has authorities."""
    lines = ["ARG BASE", "FROM ${BASE}", f"LABEL {label}", "ARG BASE_USER=root", "USER root", *(TRUST if trusts else ())]
    if apt:
        packages = shlex.join(apt)
        lines.append(
            "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "
            f"{packages} && rm -rf /var/lib/apt/lists/*"
        )
    told = TRUSTING if trusts else ""
    steps = [CONDA_UPDATE] if CONDA in names else []
    if lists := [name for name in (PIP, PACKAGES) if name in names]:
        named = " ".join(f"-r {name}" for name in lists)
        steps.append(f"python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore {named}")
    if steps:
        lines += [f"COPY . {HERE}/"]
        lines += [f"RUN {told}cd {HERE} && {{ {step}; }}" for step in steps]
        lines += [f"RUN {PERMISSIONS}; rm -rf {HERE}"]
    return "\n".join([*lines, "USER ${BASE_USER}", ""])


def apt_packages(text: str) -> tuple[list[str], Iterator[tuple[int, str]]]:
    """Return the packages of an apt.txt, and what is wrong with it, by line."""
    rows = list(_rows(text))
    names = [name for _, row in rows for name in row.split()]
    wrong = (
        (line, f"{name!r} is no Debian package, such as graphviz or libpq-dev=15.6-0+deb12u1")
        for line, row in rows
        for name in row.split()
        if not APT_PACKAGE.fullmatch(name)
    )
    return names, wrong


def wrong_requirements(text: str) -> Iterator[tuple[int, str]]:
    """Yield what is wrong in a requirements.txt, by line: what is neither a package nor an option of pip's."""
    lines = text.splitlines()
    goes_on = False
    for number, row in enumerate(lines, 1):
        bare = re.sub(r"(?:^|\s)#.*", "", row).strip()
        begins, goes_on = not goes_on, bare.endswith("\\")
        try:
            without_password(row)  # a comment is sent, too
            text = re.sub(r"\s+--(?:hash|config-settings|global-option)\b.*", "", bare.rstrip("\\ "))
            if begins and text and not NO_PACKAGE.match(text):
                package(text)
        except ValueError as error:
            yield number, str(error)


def included(text: str) -> list[str]:
    """Return the other lists that pip reads with a requirements.txt, as it names them."""
    return INCLUDED.findall(text)


def passwords(text: str) -> Iterator[tuple[int, str]]:
    """Yield what must not be in a file that goes into an image, by line; what a variable has is known in the build only."""
    for number, row in enumerate(text.splitlines(), 1):
        try:
            without_password(WITH_VARIABLE.sub("", row))
        except ValueError as error:
            yield number, str(error)


def _rows(text: str) -> Iterator[tuple[int, str]]:
    for number, row in enumerate(text.splitlines(), 1):
        if bare := row.partition("#")[0].strip():
            yield number, bare
