"""People's own UID and GID: files in the form of /etc/passwd and /etc/group, and claims."""

from pathlib import Path

import pytest

from swarmhub.settings import handed
from tests.unit.settings.written import edited, good, problems

PASSWD = """root:x:0:0:root:/root:/bin/sh

# people
Ada:x:20001:20100:Ada L.:/home/ada:/bin/bash
ada lovelace:x:20002:100::/:
+::::::
"""
GROUP = "root:x:0:ada\nteam:x:20300:ada,Ada Lovelace\nada:x:20100:ada\nempty:x:20400:\n"
HOME = '[home]\ntype = "path"\npath = "/mnt/homes"\n'


def owners(lines: str, home: str = HOME) -> str:
    """Return a hosts.toml with these lines in [owners]."""
    return edited(f"{home}\n[owners]\n{lines}\n")


def test_files_as_getent_prints_them_are_read(tmp_path: Path) -> None:
    """Names as JupyterHub has them; accounts of the system, and root's group, are nobody's; a first group is no second one."""
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "group").write_text(GROUP)
    settings = good(tmp_path / "hosts.toml", owners('passwd = "passwd"\ngroup = "group"'))
    assert handed.tables(settings)["owners"] == {
        "users": {"ada": [20001, 20100, [20300]], "ada lovelace": [20002, 100, [20300]]},
        "claims": {},
        "range": [1000, 2147483647],
    }


def test_without_numbers_nothing_is_handed_over(tmp_path: Path) -> None:
    """Servers run as their image says."""
    assert handed.tables(good(tmp_path / "hosts.toml", edited()))["owners"] == {}


def test_claims_are_handed_over(tmp_path: Path) -> None:
    """Those that are named, and the range."""
    settings = good(tmp_path / "hosts.toml", owners('uid_claim = "uidNumber"\nrange = "20000-29999"'))
    assert handed.tables(settings)["owners"] == {"users": {}, "claims": {"uid": "uidNumber"}, "range": [20000, 29999]}


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ('passwd = "none"', "owners.passwd: {}/none: no such file or directory; make it by: getent passwd > none"),
        ('passwd = "bad"', "owners.passwd: {}/bad:2: the line of 'ada' is none such as NAME:x:UID:GID:…"),
        ('passwd = "twice"', "owners.passwd: twice: 'ADA' has two lines, with other numbers; keep one"),
        ('passwd = "latin"', "owners.passwd: {}/latin is not UTF-8; save it as UTF-8"),
        ('passwd = "good"\nuid_claim = "uid"', "owners.uid_claim: clashes with 'passwd'; keep one of the two"),
        ('gid_claim = "gid"', "owners.gid_claim: goes with 'uid_claim'"),
        ('group = "good"', "owners.group: goes with 'passwd', which says who has a UID; from the provider: gids_claim"),
        ('range = "0-1000"', "owners.range: '0-1000' is no range of numbers above 0, such as \"1000-59999\""),
        ('range = "9-5"', "owners.range: '9-5' is no range of numbers above 0, such as \"1000-59999\""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, lines: str, wrong: str) -> None:
    """Before anything is connected to."""
    for name, text in {
        "bad": "a:x:1001:1:\nada:20001\n",
        "twice": "ada:x:1001:1:\nADA:x:1002:1:\n",
        "good": "a:x:1001:1\n",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin").write_bytes(b"ad\xe4:x:1001:1:")
    (told,) = problems(tmp_path / "hosts.toml", owners(lines))
    assert told.partition(": ")[2] == wrong.format(tmp_path)


@pytest.mark.parametrize(
    ("home", "wrong"),
    [
        ("", "home.type: 'volume' gives a new home the owner of the image's files"),
        ('[home]\ntype = "cifs"\nserver = "nas"\npath = "/h"\n', "home.type: 'cifs' gives all files the owner"),
    ],
)
def test_homes_whose_files_cannot_be_ones_own_are_refused(tmp_path: Path, home: str, wrong: str) -> None:
    """Nobody could write there."""
    (told,) = problems(tmp_path / "hosts.toml", owners('uid_claim = "uid"', home))
    assert told.partition(": ")[2].startswith(wrong)


def test_one_user_for_all_servers_is_refused(tmp_path: Path) -> None:
    """It would win over each one's own."""
    more = '[jupyterhub.SwarmSpawner]\nextra_container_spec = {user = "1000:100"}\n'
    (told,) = problems(tmp_path / "hosts.toml", owners('uid_claim = "uid"') + more)
    assert told.partition(": ")[2].startswith(
        "jupyterhub.SwarmSpawner.extra_container_spec.user: would let all servers run as one"
    )
