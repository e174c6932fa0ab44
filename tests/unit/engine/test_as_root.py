"""What only root may do on a host, and how the docker group does it too."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from swarmhub.engine import as_root
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from tests.unit.support.fakes import MANAGER, FakeHost, Request, once

FOLDER, FILE = "/etc/letsencrypt", "/etc/letsencrypt/live/hub/chain.pem"
REFUSED = Output(1, "", f"cat: {FILE}: Permission denied\n")
IMAGES = {"GET /images/json": [{"Id": "sha256:any"}]}


def packed(content: bytes = b"", link: str = "") -> list[bytes]:
    """Return a tar of one file, or of a link, as an engine sends it."""
    entry = tarfile.TarInfo("one")
    entry.size, entry.type, entry.linkname = len(content), tarfile.SYMTYPE if link else tarfile.REGTYPE, link
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(content))
    return [out.getvalue()]


def holding(files: dict[str, list[bytes]]) -> FakeHost:
    """Return a host whose user may read nothing, and whose containers have these files."""

    def copied(request: Request) -> list[bytes]:
        if request.params["path"] not in files:
            raise EngineError(MANAGER, 404, "no such file")
        return files[request.params["path"]]

    commands = {f"cat {path}": REFUSED for path in (FILE, f"{FOLDER}/none")} | {f"stat -Lc %s {FILE}": REFUSED}
    return FakeHost(answers={**IMAGES, **once(), "GET /containers/once/archive": copied}, commands=commands)


def test_who_may_do_it_does_it_directly() -> None:
    """Root, and a user with sudo, need no container; a failure for another reason is theirs."""
    host = FakeHost(commands={f"cat {FILE}": Output(0, "chain", ""), "rm -rf x": Output(1, "", "Device or resource busy\n")})
    assert as_root.read(host, FILE, f"{FOLDER}/none", folder=FOLDER) == ["chain", None]
    assert as_root.run(host, "rm", "-rf", "x").code == 1
    assert host.engine.asked() == []


def test_files_are_read_from_a_container_that_never_runs() -> None:
    """It has the folder, read-only, and is removed; links are followed, as certbot makes them."""
    host = holding({FILE: packed(link="../../archive/hub/chain1.pem"), f"{FOLDER}/archive/hub/chain1.pem": packed(b"chain")})
    assert as_root.read(host, FILE, f"{FOLDER}/none", folder=FOLDER) == ["chain", None]
    asked = host.engine.asked()
    assert ("POST /containers/once/start" in asked, asked[-1]) == (False, "DELETE /containers/once")
    (mount,) = host.engine.sent("POST /containers/create").body["HostConfig"]["Mounts"]
    assert (mount["Source"], mount["ReadOnly"]) == (FOLDER, True)


def test_a_link_that_leads_to_itself_is_no_file() -> None:
    """It is not followed for ever."""
    assert as_root.read(holding({FILE: packed(link=FILE)}), FILE, folder=FOLDER) == [None]


@pytest.mark.parametrize(("content", "size"), [(b"a key", 5), (b"", 0)])
def test_a_files_size_is_told_whoever_asks(content: bytes, size: int) -> None:
    """An empty key is told from a whole one."""
    direct = FakeHost(commands={f"stat -Lc %s {FILE}": Output(0, f"{size}\n", "")})
    for host in (direct, holding({FILE: packed(content)})):
        assert as_root.size(host, FILE, folder=FOLDER) == size
    assert as_root.size(FakeHost(), FILE, folder=FOLDER) is None


@pytest.mark.parametrize("said", ["Permission denied", "Operation not permitted"])
def test_a_refused_command_runs_as_root_in_the_hosts_files(said: str) -> None:
    """With the host's own programs, as far as it has such folders: no image has to be there for it."""
    host = FakeHost(answers={**IMAGES, **once("done")})
    host.commands = {
        "chmod 600 x": Output(1, "", f"chmod: {said}\n"),
        f"ls -d {' '.join(as_root.BORROWED)}": Output(2, "/bin\n/usr\n", "ls: /lib64: No such file or directory\n"),
    }
    assert as_root.run(host, "chmod", "600", "x") == Output(0, "done", "")
    body = host.engine.sent("POST /containers/create").body
    mounts = [(one["Source"], one["Target"], one["ReadOnly"]) for one in body["HostConfig"]["Mounts"]]
    assert mounts == [("/", as_root.HOST, False), ("/bin", "/bin", True), ("/usr", "/usr", True)]
    assert (body["Entrypoint"][:2], body["Cmd"], body["User"]) == (["sh", "-c"], ["chmod", "600", "x"], "0")


def test_what_a_command_reads_is_in_no_argument() -> None:
    """A private key goes into the container as a file that root alone may read."""
    host = FakeHost(answers={**IMAGES, **once()}, commands={"dd of=x": REFUSED})
    as_root.run(host, "dd", "of=x", content=b"hush")
    with tarfile.open(fileobj=io.BytesIO(host.engine.sent("PUT /containers/once/archive").body)) as tar:
        (entry,) = tar.getmembers()
    assert (f"/{entry.name}", entry.mode) == (as_root.CONTENT, 0o600)
    assert "hush" not in str(host.engine.sent("POST /containers/create").body)


def test_where_there_is_no_image_an_empty_one_is_made_and_removed() -> None:
    """So it is on a host on which nothing has been deployed yet."""
    host = holding({FILE: packed(b"chain")})
    host.engine.answers |= {"GET /images/json": [], "GET /version": {"Arch": "amd64"}}
    assert as_root.read(host, FILE, folder=FOLDER) == ["chain"]
    assert host.engine.sent("POST /containers/create").body["Image"] == as_root.EMPTY_IMAGE
    assert host.engine.asked()[-1] == f"DELETE /images/{as_root.EMPTY_IMAGE}"


def _read(host: FakeHost) -> Any:
    return as_root.read(host, FILE, folder=FOLDER)


def _run(host: FakeHost) -> Any:
    return as_root.run(host, "cat", FILE)


@pytest.mark.parametrize("act", [_read, _run])
def test_where_neither_way_is_open_the_line_says_what_helps(act: Callable[[FakeHost], Any]) -> None:
    """An engine may forbid such containers by a plugin of its own."""
    refusal = EngineError(MANAGER, 403, "authorization denied by plugin")
    host = FakeHost(answers={**IMAGES, "POST /containers/create": refusal}, commands={f"cat {FILE}": REFUSED})
    with pytest.raises(StepError, match=r"nor may a container: authorization denied by plugin\. Log in as root"):
        act(host)


def test_lines_are_passed_on_as_they_come() -> None:
    """And the exit code in the end."""
    running = as_root.lines(FakeHost(answers={**IMAGES, **once("a", "b", code=3)}), "tail", "x", patience=None)
    assert [next(running), next(running)] == ["a", "b"]
    with pytest.raises(StopIteration) as ended:
        next(running)
    assert ended.value.value == 3
