"""The Dockerfile of an image: which others it is built on, and the one for a folder that has none."""

import re
from collections.abc import Iterator, Mapping, Sequence

from swarmhub.settings.schema.grammar import IMAGE, full_image, package, without_password

APT, CONDA, PIP, PACKAGES = "apt.txt", "environment.yml", "requirements.txt", "packages.txt"
LISTS = (APT, CONDA, PIP)
# Debian's rule for a name, with an architecture and a version.
APT_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?(?:=[A-Za-z0-9.+:~-]+)?")
# What pip reads besides packages: options, paths and addresses.
NO_PACKAGE = re.compile(r"-|\.|/|[A-Za-z0-9+]+://|\S+\.(?:whl|zip|tar\.gz)(?:\s|$)")
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


def bases(text: str, arguments: Mapping[str, str]) -> list[str]:
    """Return the images that a Dockerfile begins with, each once: not its own stages, nor what only Docker can tell."""
    given: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    found: dict[str, None] = {}
    for line in re.sub(r"\\\n", " ", text).splitlines():
        word, *rest = line.split() or [""]
        if word.upper() == "ARG" and rest and not found:
            name, _, default = rest[0].partition("=")
            given[name] = arguments.get(name, default.strip("\"'"))
        if word.upper() == "FROM" and (parts := [part for part in rest if not part.startswith("--")]):
            image = ARGUMENT.sub(lambda one: given.get(one[1] or one[3], "") or one[2] or "", parts[0])
            if image.lower() not in stages and IMAGE.fullmatch(image):
                found[full_image(image)] = None
            stages |= {part.lower() for part in parts[2:3]}
    return list(found)


def made(names: Sequence[str], apt: Sequence[str], label: str, *, trusts: bool) -> str:
    """Return the Dockerfile that installs what is in the files of a folder; `trusts` tells that ca/ has authorities."""
    lines = ["ARG BASE", "FROM ${BASE}", f"LABEL {label}", "ARG BASE_USER=root", "USER root", *(TRUST if trusts else ())]
    if apt:
        packages = " ".join(apt)
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
            without_password(bare)
            text = re.sub(r"\s+--(?:hash|config-settings|global-option)\b.*", "", bare.rstrip("\\ "))
            if begins and text and not NO_PACKAGE.match(text):
                package(text)
        except ValueError as error:
            yield number, str(error)


def wrong_environment(text: str) -> Iterator[tuple[int, str]]:
    """Yield what must not be in an environment.yml, by line: conda itself says what it cannot read."""
    for number, row in enumerate(text.splitlines(), 1):
        try:
            without_password(row)
        except ValueError as error:
            yield number, str(error)


def _rows(text: str) -> Iterator[tuple[int, str]]:
    for number, row in enumerate(text.splitlines(), 1):
        if bare := row.partition("#")[0].strip():
            yield number, bare
