"""Dockerfiles: what they are built on, the one for a folder without, and what is no package."""

import pytest

from swarmhub.images.own import dockerfile


@pytest.mark.parametrize(
    ("text", "arguments", "found"),
    [
        ("FROM debian:13\n", {}, ["debian:13"]),
        ("from debian\n", {}, ["debian:latest"]),
        ("ARG BASE=a:1\nFROM ${BASE}\n", {}, ["a:1"]),
        ("ARG BASE=a:1\nFROM $BASE AS x\nFROM x\nFROM scratch\n", {"BASE": "b:2"}, ["b:2"]),
        ("ARG V\nFROM a:${V:-3}\n", {}, ["a:3"]),
        ("FROM --platform=linux/amd64 a:1 AS build\nFROM b:1\nCOPY --from=build / /\n", {}, ["a:1", "b:1"]),
        ("FROM \\\n a:1\n", {}, ["a:1"]),
        ("FROM \\  \n# why\n a:1\n", {}, ["a:1"]),
        ("# C:\\\nFROM a:1\n", {}, ["a:1"]),
        ("FROM 'a:1'\n", {}, ["a:1"]),
        ("FROM a:$(id)\n", {}, []),
        ("ARG HOUSE=b.org V=1\nFROM $HOUSE/a:$V\n", {"V": "2"}, ["b.org/a:2"]),
        ("ARG V=1\nARG BASE=a:${V}\nFROM $BASE\n", {}, ["a:1"]),
        ("FROM a:1-$TARGETARCH\n", {}, []),
        ("ARG BASE=a:1-$TARGETARCH\nFROM $BASE\n", {}, []),
    ],
)
def test_the_images_that_it_begins_with_are_found(text: str, arguments: dict[str, str], found: list[str]) -> None:
    """Its own stages are none, nor is what only Docker can tell."""
    assert dockerfile.bases(text, arguments) == found


@pytest.mark.parametrize(
    "text",
    [
        "RUN python3 <<EOF\nfrom os import path\nEOF\n",
        "RUN <<-'end' cat\nFROM users\n\tend\n",
        "COPY <<A <<B /x/\nFROM u\nA\nFROM v\nB\n",
        "RUN echo $((1<<2)) && cat <<< from\n",
    ],
)
def test_a_here_document_is_no_instruction(text: str) -> None:
    """A program in it may import from somewhere; what comes behind counts again."""
    assert dockerfile.bases(f"FROM a:1\n{text}FROM b:1\n", {}) == ["a:1", "b:1"]


def test_images_that_files_are_taken_from_are_found() -> None:
    """By COPY, or by a mount of RUN: BuildKit would ask for them without the operator's login, too."""
    text = (
        "FROM a:1 AS build\nFROM b:1\nCOPY --chown=1:1 --from=c.org/d:2 /x /\nCOPY --from=Build /x /\nCOPY --from=0 /x /\n"
        "RUN --mount=type=bind,from=e:3,target=/e --mount=from=f,target=/f --mount=type=cache,target=/from make\n"
        "RUN uvx --from=g g\n"
    )
    assert dockerfile.bases(text, {}) == ["a:1", "b:1", "c.org/d:2", "e:3", "f:latest"]


@pytest.mark.parametrize("end", ["", "\n", "\n\n", " \\\n", " \\ \n\n"])
def test_a_label_is_an_instruction_of_its_own(end: str) -> None:
    """Docker takes a backslash at the very end for none; by the label a build is told from what a registry has."""
    lines = dockerfile.labelled(f"FROM a:1\nRUN ls{end}", "a=b").splitlines()
    assert [line.rstrip() for line in lines] == ["FROM a:1", "RUN ls", "LABEL a=b"]


def test_what_is_made_installs_as_root_and_goes_back_to_the_images_user() -> None:
    """Debian's packages, then conda's, then pip's, all in one."""
    lines = dockerfile.made(
        ["apt.txt", "environment.yml", "requirements.txt", dockerfile.PACKAGES], ["tree"], "a=b", trusts=False
    )
    found = [line.split()[0] for line in lines.splitlines()]
    assert found == ["ARG", "FROM", "LABEL", "ARG", "USER", "RUN", "COPY", "RUN", "RUN", "RUN", "USER"]
    order = [
        lines.index(part)
        for part in ("USER root", "apt-get", "environment.yml", f"-r requirements.txt -r {dockerfile.PACKAGES}")
    ]
    assert order == sorted(order)
    assert lines.endswith("USER ${BASE_USER}\n")
    assert "SSL_CERT_FILE" not in lines


def test_a_ca_of_ones_own_is_trusted_before_anything_is_fetched() -> None:
    """By the system, and by pip, which would have a list of its own."""
    lines = dockerfile.made([dockerfile.PACKAGES], [], "a=b", trusts=True)
    assert lines.index("update-ca-certificates") < lines.index("export SSL_CERT_FILE=") < lines.index("pip install")


def test_debian_packages_are_names_and_nothing_else() -> None:
    """They are words of a command in the build: what is no name is told with its line."""
    names, wrong = dockerfile.apt_packages("tree  # a comment\n\nlibpq-dev=15.6-0+deb12u1 g++ nodejs=20.*\n-o=x $(id) a;b\n")
    assert names[:4] == ["tree", "libpq-dev=15.6-0+deb12u1", "g++", "nodejs=20.*"]
    assert " tree libpq-dev=15.6-0+deb12u1 g++ 'nodejs=20.*' &&" in dockerfile.made([], names[:4], "a=b", trusts=False)
    assert [(line, text.partition(" is no")[0]) for line, text in wrong] == [(4, "'-o=x'"), (4, "'$(id)'"), (4, "'a;b'")]


@pytest.mark.parametrize(
    "row",
    [
        "numpy>=2  # a comment",
        "numpy==2.1 --hash=sha256:abc",
        "numpy==2.1 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def",
        "-r more.txt",
        "--extra-index-url https://example.org/simple",
        "./wheels/x-1-py3-none-any.whl",
        "libs/mine",
        "libs/mine[all]; python_version < '4'",
        "x-1-py3-none-any.whl",
        "git+ssh://git@example.org/x.git",
        "x @ https://example.org/x.whl",
        'x; python_version < "4"',
        "",
    ],
)
def test_what_pip_reads_is_left_to_pip(row: str) -> None:
    """Packages, options, paths and addresses."""
    assert list(dockerfile.wrong_requirements(f"{row}\n")) == []


@pytest.mark.parametrize("row", ["x; rm -rf /", "$(id)", "a b", "`id`", "a && b"])
def test_what_is_no_requirement_is_told_with_its_line(row: str) -> None:
    """Nothing of it is ever read by a shell; but it is a mistake."""
    ((line, wrong),) = dockerfile.wrong_requirements(f"# first\n{row}\n")
    assert (line, wrong.startswith(f"{row!r} is no Python package")) == (2, True)


def test_a_password_that_a_variable_has_is_the_builds_own() -> None:
    """What is in it, no line says."""
    assert list(dockerfile.passwords("RUN pip install -i https://ada:${TOKEN}@example.org/ six\n")) == []


CONDA_TOKEN = "https://example.org/t/ad-01234567-89ab-cdef-0123-456789abcdef/channel"


@pytest.mark.parametrize("look", [dockerfile.wrong_requirements, dockerfile.passwords])
@pytest.mark.parametrize(
    "address", ["https://ada:hush@example.org/", "https://token@example.org/", "ssh://ada:hush@x/", CONDA_TOKEN]
)
def test_a_password_is_refused_and_not_shown(look: object, address: str) -> None:
    """It would be in a layer that everybody has who has the image, as a comment, too."""
    for row in (f"--index-url {address}", f"# --index-url {address}", f"six  # {address}"):
        ((line, wrong),) = look(f"{row}\n")  # type: ignore[operator]
        assert (line, "hush" in wrong, "password" in wrong) == (1, False, True)
