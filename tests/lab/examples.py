"""Whole projects of docs/examples, made ready for the lab: a copy each, with the files that only its operator has."""

import os
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

from lab import topology
from tests.lab.support import ROOT
from tests.unit.support.authority import Authority

EXAMPLES = ROOT / "docs" / "examples"
NAMES = tuple(sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))


def make(name: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """Copy an example, and return its hosts.toml with the environment in which it is used; its nodes are the lab's."""
    project = shutil.copytree(EXAMPLES / name, folder / name)
    hosts = project / "hosts.toml"
    tables = tomllib.loads(hosts.read_text())
    lines = _secrets(tables)
    (project / "secrets.env").write_text(lines)
    manager = folder / "pass"
    manager.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n")
    manager.chmod(0o755)
    if "certificate" in tables.get("certs", {}):
        chain, key = Authority.make("A company's CA").issue(tables["hub"]["domain"])
        (project / "tls").mkdir()
        (project / "tls" / "fullchain.pem").write_text(chain)
        (project / "tls" / "privkey.pem").write_text(key)
    (project / "plant-ca.crt").write_text(Authority.make("The plant's CA").pem)
    text = re.sub(r'"[^"]+/jupyter/[^"]+"', '"registry.lab:5000/notebook:lab"', hosts.read_text())
    text = text.replace('"/mnt/homes"', '"/mnt/shared"')  # which the lab's nodes mount
    # The deployed hub's network has other addresses, and those of a network in use cannot change.
    text = text.replace("[network]\n", '[network]\nname = "elsewhere"\n')
    # No example has a table [ssh]: an operator's own ssh_config serves.
    hosts.write_text(f'{text}\n[ssh]\nconfig = "{topology.STATE / "ssh_config"}"\n')
    return hosts, {"PATH": f"{folder}:{os.environ['PATH']}"}


def _secrets(tables: dict[str, Any]) -> str:
    names = ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", *tables["secrets"].get("names", [])]
    callback = f"OAUTH_CALLBACK_URL=https://{tables['hub']['domain']}/hub/oauth_callback\n"
    return "".join(f"{name}=a-value\n" for name in names) + callback
