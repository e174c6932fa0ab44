"""Which keys a host is offered, and in which order."""

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from swarmhub.ssh.keys import identities
from swarmhub.ssh.keys.identities import ChosenAgent

FORM = serialization.PrivateFormat.OpenSSH
PASSWORD = serialization.BestAvailableEncryption(b"hush")


class Key:
    """A key pair: its files, and itself as an agent has it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.file = folder / name
        made = Ed25519PrivateKey.generate()
        self.file.write_bytes(made.private_bytes(serialization.Encoding.PEM, FORM, PASSWORD))
        public = made.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        self.public = folder / f"{name}.public"
        self.public.write_bytes(public)
        self.blob = base64.b64decode(public.split()[1])

    def asbytes(self) -> bytes:
        return self.blob


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """Return the keys that the agent has."""
    made = [Key(tmp_path, f"key{number}") for number in range(8)]
    monkeypatch.setattr(identities, "agent", lambda _: SimpleNamespace(get_keys=lambda: tuple(made)))
    return made


@pytest.mark.parametrize("kind", ["file", "public"])
def test_keys_of_identity_files_come_first(keys: list[Key], kind: str) -> None:
    """In the files' order: a private one whose passphrase the agent knows, or a public one."""
    named = [str(getattr(keys[number], kind)) for number in (7, 3)]
    offered: Any = ChosenAgent({}, named).get_keys()
    assert [keys.index(key) for key in offered] == [7, 3, 0, 1, 2, 4, 5, 6]


@pytest.mark.parametrize("only", ["yes", "Yes", "true"])
def test_with_identities_only_no_other_is_offered(keys: list[Key], only: str, tmp_path: Path) -> None:
    """A file without a key stands for none."""
    offered: Any = ChosenAgent({"identitiesonly": only}, [str(keys[5].file), str(tmp_path / "none")]).get_keys()
    assert offered == (keys[5],)


def test_a_public_key_beside_a_file_of_another_form_counts(keys: list[Key], tmp_path: Path) -> None:
    """PEM hides the public part."""
    (tmp_path / "old").write_text("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n")
    (tmp_path / "old.pub").write_text(keys[4].public.read_text())
    offered: Any = ChosenAgent({"identitiesonly": "yes"}, [str(tmp_path / "old")]).get_keys()
    assert offered == (keys[4],)


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-ed25519 %%%", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_file_stands_for_no_key(tmp_path: Path, text: str) -> None:
    """It is passed over."""
    (tmp_path / "bad").write_text(text)
    assert identities.public_key(tmp_path / "bad") in (None, b"")


@pytest.mark.parametrize(("content", "is_private"), [(None, False), ("ssh-ed25519 AAAA", False), ("-----BEGIN X-----", True)])
def test_a_private_key_is_told_from_a_public_one(tmp_path: Path, content: str | None, is_private: bool) -> None:
    """Paramiko fails where a file is not there."""
    if content:
        (tmp_path / "file").write_text(content)
    assert identities.is_private(str(tmp_path / "file")) is is_private


@pytest.mark.parametrize("named", ["none", "$NOTHING", "~/gone"])
def test_an_agent_that_is_not_there_has_no_keys(named: str) -> None:
    """The usual one is not asked in its place."""
    assert ChosenAgent({"identityagent": named}, []).get_keys() == ()
