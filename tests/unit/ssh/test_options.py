"""A host's options as ssh reads them: by Paramiko where it can, and else by ssh itself."""

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest
from fabric import Config

from swarmhub.errors import StepError
from swarmhub.ssh import options
from swarmhub.ssh.connection import make_config

# It prints what it is asked, as ssh does of what it has read.
PRINTS = """#!/bin/sh
for last in "$@"; do :; done
printf '%s\\n' "hostname $last.example.org" "user ada" "port 2222" "proxyjump none" "identityagent none"
printf '%s\\n' "forwardagent ~/other" "identityfile ~/.ssh/%r" "identityfile none" "bindaddress 10.0.0.1"
printf '%s\\n' "userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2"
"""
FAILS = "#!/bin/sh\necho 'config line 3: Bad configuration option: hots' >&2\nexit 255\n"


@pytest.fixture(autouse=True)
def _afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start with an empty home, no system's file, and nothing that was asked before."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(options, "SYSTEM", tmp_path / "system")
    (tmp_path / ".ssh").mkdir()
    options._is_for_ssh.cache_clear()
    options._by_ssh.cache_clear()


def given(tmp_path: Path, text: str, ssh: str | None, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Return the configuration for an ssh_config on a machine with this ssh."""
    if ssh:
        (tmp_path / "ssh").write_text(ssh)
        (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if ssh else str(tmp_path))
    (tmp_path / "config").write_text(text)
    return make_config(Config(), tmp_path / "config")


@pytest.mark.parametrize(
    ("text", "is_asked"),
    [
        ("Host a\n  User bob\n", False),
        ("Include nothing*\nHost a\n  User bob\n", False),
        ("Include more*\nHost a\n  User bob\n", True),
        ("  include  none more1\nHost a\n  User bob\n", True),
        ("Include=~/.ssh/more1\n", True),
        ("Match localnetwork 10.0.0.0/8\n  User bob\n", True),
        ("Host a\n  Tag work\n  User bob\n", True),
        ("CanonicalizeHostname yes\n", True),
        ("# Include more1\nHost match\nHost a\n  User bob\n", False),
        ('Include "more 1"\nHost a\n  User bob\n', True),
        ("Include ${HOME}/.ssh/more1\nHost a\n  User bob\n", True),
        ("Host a\n  User bob\n  Port 22 # its own\n", True),
        ('Host a\n  User bob\n  IdentityFile "/a b/key"\n', False),
        ('Host a\n  User bob\n  UserKnownHostsFile "/a b" "/c"\n', True),
        ("Host a\n  User bob\n  IdentityFile ~/.ssh/%h\n", True),
        ("Host a\n  User bob\n  ProxyCommand nc a 22\n", True),
        ("Host a\n  User bob\n  ConnectTimeout 1m\n", True),
        ("HOST=a b !c *.example.org\r\n\tUser = bob\r\n  Port 2222\r\n  IdentityFile ~/.ssh/id-1\r\n", False),
    ],
)
def test_ssh_is_asked_what_paramiko_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_asked: bool
) -> None:
    """Such as Include, where it names a file that is there: shipped files include a folder that is empty."""
    (tmp_path / ".ssh/more1").write_text("")
    found = given(tmp_path, text, PRINTS, monkeypatch).base_ssh_config.lookup("a")
    assert found["user"] == ("ada" if is_asked else "bob")


def test_what_ssh_prints_is_taken_as_fabric_takes_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Identity files are a list with their paths whole, "none" is nothing, and a clone of the configuration knows it too."""
    made = given(tmp_path, "Match all\n", PRINTS, monkeypatch)
    found = made.clone().base_ssh_config.lookup("node")
    assert found == {
        "hostname": "node.example.org",
        "user": "ada",
        "port": "2222",
        "identityagent": "none",
        "identityfile": [f"{tmp_path}/.ssh/ada"],
        "bindaddress": "10.0.0.1",
        "userknownhostsfile": "~/.ssh/known_hosts ~/.ssh/known_hosts2",
    }


def test_without_an_ssh_paramiko_reads_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine may have none; that it is not read as ssh would is told."""
    assert given(tmp_path, "Match all\n  User bob\n", None, monkeypatch).base_ssh_config.lookup("a")["user"] == "bob"
    assert caplog.messages == [
        f"note: Include, Match, tokens and the like in {tmp_path}/config are not followed as ssh does: "
        "there is no ssh on this machine"
    ]


def test_a_file_that_ssh_refuses_is_told_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that shows it."""
    made = given(tmp_path, "Match all\n", FAILS, monkeypatch)
    with pytest.raises(StepError, match=rf"line 3: Bad configuration option: hots\. .*ssh -G -F {tmp_path}/config -- a"):
        made.base_ssh_config.lookup("a")


def test_an_ssh_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of Match exec may wait for ever."""
    monkeypatch.setattr(options, "SECONDS", 0.2)
    made = given(tmp_path, "Match all\n", "#!/bin/sh\nexec sleep 5\n", monkeypatch)
    with pytest.raises(StepError, match=r"takes more than 0\.2 s; does a command of Match exec wait"):
        made.base_ssh_config.lookup("a")


def test_what_is_not_followed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ssh prints every option there is, the usual ones are left out."""
    assert options.not_honoured({"user": "ada", "proxyusefdpass": "yes", "bindaddress": "10.0.0.1"}, None) == [
        "bindaddress",
        "proxyusefdpass",
    ]
    made = given(tmp_path, "Match all\n", PRINTS, monkeypatch)
    assert options.not_honoured(made.base_ssh_config.lookup("a"), str(tmp_path / "config")) == []


KEYS = ("user", "hostname", "port", "proxyjump", "hostkeyalias")


@pytest.mark.skipif(not shutil.which("ssh"), reason="it compares with what ssh itself reads")
@pytest.mark.parametrize(
    "text",
    [
        b"Host a\n  HostName 10.0.0.5 # the manager\n  Port 2222 # odd\n",
        b'Host a\n  User "ada" # her\n',
        b"Host a\n  User ada\nMatch final all\n  Port 2222\n",
        b'Match host a exec "test %n = a"\n  Port 2222\n',
        b"Host a\n  HostName fe80::1%%eth0\n  Port ssh\n",
        b"Host [ab]\n  User ada\n",
        b"Host * !a\n  User no\nHost !b *\n  User ada\n",
        b"# M\xfcller\nHost a\n  User ada\n  ConnectTimeout 1m\n",
        b"Host a\n  HostKeyAlias real\n  ProxyCommand nc %h %p\nHost *\n  ProxyJump j\n",
        b'Include "~/.ssh/more 1"\nHost a\n  User own\n',
        b"Host=a\r\n  User = ada\r\n  ProxyJump u@j1:2201,v@j2\r\n",
    ],
)
def test_options_are_those_that_ssh_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    """Of real files, by whichever of the two reads them."""
    (tmp_path / ".ssh/more 1").write_text("Host a\n  User included\n")
    text = text.replace(b"~", str(tmp_path).encode())  # for ssh a home is what /etc/passwd says
    file = tmp_path / "config"
    file.write_bytes(text)
    said = subprocess.run(["ssh", "-G", "-F", str(file), "a"], capture_output=True, text=True, check=True).stdout
    by_ssh = dict(reversed([line.partition(" ")[::2] for line in said.splitlines()]))
    found = {"user": getpass.getuser(), "port": "22", **make_config(Config(), file).base_ssh_config.lookup("a")}
    assert {key: found.get(key) for key in KEYS} == {key: by_ssh.get(key) for key in KEYS}


def test_tokens_and_variables_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ssh -G` prints commands and identity files as they are written, and older versions all of them."""
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("WORK", "/srv")
    printed = """hostname 10.0.0.5
user root
port 2222
hostkeyalias real
proxycommand nc -x $PROXY %h %p %r %n 100%% 2>/dev/null
identityfile ${WORK}/%k-%p-%r
identityfile ~/.ssh/%n
identityagent %d/agent
userknownhostsfile ${WORK}/known/%k ~/.ssh/known_hosts
"""
    found = options.read(printed, "node1")
    assert found["proxycommand"] == "nc -x $PROXY 10.0.0.5 2222 root node1 100% 2>/dev/null"
    assert found["identityfile"] == ["/srv/real-2222-root", "/home/ada/.ssh/node1"]
    assert found["identityagent"] == "/home/ada/agent"
    assert found["userknownhostsfile"] == "/srv/known/real ~/.ssh/known_hosts"
