"""Packages of the operator's in the hub's image: their lock, how it is resolved, and what is wrong with one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub import FOLDER
from swarmhub.errors import SettingsError, StepError
from swarmhub.host import EngineError
from swarmhub.images.hub import build, packages
from swarmhub.settings import Settings
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, settings

BODY = f"ldap3==2.9.1 ; sys_platform == 'linux' \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
LDAP = "jupyterhub-ldapauthenticator>=2"
REFUSED = "The command '/bin/sh -c uv' returned a non-zero code: 1"


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a hosts.toml that is in use, whose line 2 names the packages."""
    file = tmp_path / "hosts.toml"
    file.write_text(f'[hub]\npackages = ["{LDAP}"]\n')
    (tmp_path / "users").write_text("ada admin\n")
    monkeypatch.setenv("SWARMHUB_HOSTS", str(file))
    return file


def given(hosts: Path, *names: str, **hub: Any) -> Settings:
    """Return settings with such packages."""
    folder = hosts.parent
    table = {"packages": list(names), "packages_lock": str(folder / "packages.lock"), "userlist": str(folder / "users")}
    return settings(hub=table | hub)


@dataclass(frozen=True)
class Said:
    """An engine's answer to a build: its lines, then its refusal."""

    lines: tuple[str, ...]
    fails: str

    def __iter__(self) -> Iterator[dict[str, str]]:
        yield from ({"stream": line} for line in self.lines)
        if self.fails:
            raise EngineError(MANAGER, 500, self.fails)


def resolved(wanted: Settings, *lines: str, fails: str = "") -> str:
    """Return the lock that such a build gives; the image of the build does not stay."""
    host = FakeHost(answers={"POST /build": Said(lines, fails)})
    text = packages.resolve(wanted, host, {}, FakeProgress())
    assert len(host.engine.asked("DELETE")) == 1
    return text


def lock(wanted: Settings) -> None:
    """Resolve and keep."""
    packages.keep(
        wanted, resolved(wanted, "Step 12/12 : RUN uv\n", " ---> Running in 0f\n", f"packages.lock:\n{BODY}", " ---> 1\n")
    )


def lock_in(wanted: Settings) -> bytes:
    """Return the lock in the image on which the hub's is built."""
    ground = build.desired(wanted).ground
    return ground.files["packages.lock"] if ground else b"no such image"


def test_the_image_has_the_lock_without_its_head(hosts: Path) -> None:
    """What is in it is part of the image's tag; what it was resolved for is not."""
    wanted = given(hosts, LDAP)
    lock(wanted)
    assert lock_in(wanted) == BODY.encode()
    assert build.desired(wanted).tag != build.desired(given(hosts)).tag


def test_without_packages_the_image_has_an_empty_lock(hosts: Path) -> None:
    """Even where there is a lock of before."""
    lock(given(hosts, LDAP))
    assert lock_in(given(hosts)) == b""


@pytest.mark.parametrize(
    ("names", "hub", "wrong"),
    [
        ((LDAP, "ngshare"), {}, "packages.lock is of other packages. Run: fab lock-hub"),
        (
            (LDAP,),
            {"base_image": "debian:sid-slim"},
            "packages.lock is of another release of swarmhub, or of another hub.base_image",
        ),
    ],
)
def test_a_lock_of_something_else_is_refused(hosts: Path, names: tuple[str, ...], hub: dict[str, str], wrong: str) -> None:
    """With the line that names the packages, and the command that locks them."""
    lock(given(hosts, LDAP))
    with pytest.raises(SettingsError, match=rf"hosts\.toml:2: hub\.packages: {wrong}"):
        packages.locked(given(hosts, *names, **hub))


def test_packages_without_a_lock_are_refused(hosts: Path) -> None:
    """With the same command."""
    with pytest.raises(
        SettingsError, match=r"hosts\.toml:2: hub\.packages: there is no packages\.lock yet\. Run: fab lock-hub"
    ):
        packages.locked(given(hosts, LDAP))


@pytest.mark.parametrize(
    "line", ["--index-url https://elsewhere.example.org", "<<<<<<< HEAD", "ldap3==2.9.1", "ldap3 @ https://a/b.whl"]
)
def test_a_lock_that_somebody_has_edited_is_refused(hosts: Path, line: str) -> None:
    """No option, no address, nothing without a hash, and nothing that a merge has left gets into the image's build."""
    lock(given(hosts, LDAP))
    file = hosts.parent / "packages.lock"
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(SettingsError, match=r"packages\.lock:7: is no line that fab lock-hub writes"):
        packages.locked(given(hosts, LDAP))


def test_a_lock_does_not_depend_on_the_order_of_the_packages(hosts: Path) -> None:
    """Which of them hosts.toml names first decides nothing."""
    lock(given(hosts, "b", "a"))
    assert packages.locked(given(hosts, "a", "b"))


def test_a_conflict_is_told_in_the_resolvers_own_words(hosts: Path) -> None:
    """In one line, with what is wanted and what the hub has, and with the remedy."""
    said = (
        "Step 12/12 : RUN uv\n",
        "\x1b[91merror: No solution found\n",
        "  cause: Because you require a<2 and a==2.1, it is none.\n",
    )
    expected = (
        "cannot resolve hub.packages: No solution found: Because you require a<2 and a==2.1, it is none. Nothing was changed."
    )
    with pytest.raises(StepError, match=expected) as error:
        resolved(given(hosts, "a<2"), *said, "\x1b[0m ---> Removed intermediate container 0f\n", fails=REFUSED)
    assert "\n" not in str(error.value)
    assert "fab lock-hub" in str(error.value)


def test_what_fails_before_is_told_by_its_last_line(hosts: Path) -> None:
    """Such as an index of packages that does not answer."""
    with pytest.raises(
        StepError, match=r"cannot resolve hub\.packages: E: Unable to locate package curl\. Nothing was changed"
    ):
        resolved(given(hosts, LDAP), "Step 3/12 : RUN apt-get\n", "E: Unable to locate package curl\n", fails=REFUSED)


def test_what_has_changed_is_told(hosts: Path) -> None:
    """By package: what is new, another version, left out; or that nothing is."""
    wanted = given(hosts, LDAP)
    pin = f"    --hash=sha256:{'a' * 64}\n"
    told = [
        packages.keep(wanted, f"a==1 \\\n{pin}b==1 \\\n{pin}"),
        packages.keep(wanted, f"a==2 \\\n{pin}c==3 \\\n{pin}"),
        packages.keep(wanted, f"a==2 \\\n{pin}c==3 \\\n{pin}"),
    ]
    assert told == ["a 1, b 1", "a 1 → 2, b 1 → left out, c 3", "the same 2 packages as before"]


def test_the_resolver_has_the_hubs_base_and_lock(hosts: Path) -> None:
    """And the authorities of hosts.toml; its first steps are the hub image's, so that an engine does them once."""
    (hosts.parent / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    files = packages._files(given(hosts, LDAP, ca=str(hosts.parent / "ca.pem")))
    assert (files["packages.in"], files["ca/settings.crt"]) == (f"{LDAP}\n".encode(), b"-----BEGIN CERTIFICATE-----")
    assert files["requirements.lock"] == (FOLDER / "requirements.lock").read_bytes()
    shared = files["Dockerfile"].decode().partition("LABEL")[2].partition("WORKDIR")[0]
    assert shared in (FOLDER / "Dockerfile").read_text()
