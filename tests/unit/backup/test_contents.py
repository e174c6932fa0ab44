"""What a backup holds."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from swarmhub.backup import contents
from swarmhub.backup.contents import Contents
from swarmhub.errors import StepError
from swarmhub.notebooks.homes import HomeRecord, HomeVolume
from tests.unit.support.fakes import DOMAIN, MANAGER, WORKER1, WORKER2, settings

ADA = HomeVolume("jupyterhub-home-ada", "ada", datetime(2026, 11, 1))
HELD = {MANAGER: (), WORKER1: (ADA, HomeVolume("jupyterhub-home--", "", datetime(2026, 11, 1)))}


def test_homes_on_nodes_are_saved_where_they_are() -> None:
    """Those that are somebody's; a node that does not answer may have more."""
    found = contents.homes_of(settings(), HELD, [WORKER2], MANAGER)
    assert found == Contents({MANAGER: (), WORKER1: (ADA,)}, (WORKER2,))


def test_homes_on_a_file_server_are_saved_once() -> None:
    """From the folder above them, read-only; with its marker, without which an empty folder would be saved for them."""
    found = contents.homes_of(settings(home={"type": "path", "path": "/mnt/homes/"}), HELD, [], MANAGER)
    assert [(one["Source"], one["Target"], one["ReadOnly"]) for one in found.shared] == [
        ("/mnt/homes", "/homes", True),
        ("/mnt/homes/.swarmhub", "/run/swarmhub/mounted/homes", True),
    ]
    assert found.homes == {}
    by_nfs = settings(home={"type": "nfs", "server": "nas", "path": "/homes"})
    assert len(contents.homes_of(by_nfs, HELD, [], MANAGER).shared) == 1


def test_homes_are_left_out_where_nobody_wants_them_saved() -> None:
    """By the settings, or as there are none; then no node has to answer."""
    for tables in ({"backup": {"homes": False}}, {"home": {"keep": False}}):
        assert contents.homes_of(settings(**tables), HELD, [WORKER2], MANAGER) == Contents({})


def test_homes_that_nobody_reaches_are_refused() -> None:
    """A backup without them would be taken for a whole one."""
    with pytest.raises(StepError, match="volumes of the driver 'rexray'"):
        contents.homes_of(settings(home={"driver": "rexray"}), HELD, [], MANAGER)


def test_the_files_are_the_settings_and_what_the_image_is_made_of(tmp_path: Path) -> None:
    """With what a restore has to know of the cluster."""
    (tmp_path / "hosts.toml").write_text("[hub]\n")
    record = HomeRecord("c1", ADA.name, "ada", "n2")
    facts = contents.facts(settings(), "RUN", Contents({WORKER1: (ADA,)}), [record], (), {"n2": WORKER1})
    found = contents.files(tmp_path / "hosts.toml", {"userlist": b"ada\n"}, (), facts)
    assert (found["backup/hub/userlist"], found["backup/settings/hosts.toml"]) == (b"ada\n", b"[hub]\n")
    told = json.loads(found["backup/cluster.json"])
    assert (told["run"], told["domain"], told["homes"]) == ("RUN", DOMAIN, [{"name": ADA.name, "user": "ada", "host": WORKER1}])
    assert told["records"] == [{"name": ADA.name, "user": "ada", "host": WORKER1}]
    assert json.loads(found["backup/releases.json"]) == []


def test_homes_of_a_host_that_does_not_answer_are_known() -> None:
    """By their records: an earlier backup has them. A home that is elsewhere by now is saved there, and is there once."""
    records = [HomeRecord("c1", "jupyterhub-home-eve", "eve", "n3"), HomeRecord("c2", ADA.name, "ada", "n3")]
    told = contents.facts(
        settings(), "RUN", Contents({WORKER1: (ADA,)}, (WORKER2,)), records, (), {"n2": WORKER1, "n3": WORKER2}
    )
    assert [(one["user"], one["host"]) for one in told["homes"]] == [("ada", WORKER1), ("eve", WORKER2)]


def test_certificates_are_the_hubs_where_tls_ends_here() -> None:
    """Else a reverse proxy in front has them."""
    mounts = contents.of_hub(settings(), read_only=True)
    assert [(one["Source"], one.get("ReadOnly", False)) for one in mounts] == [
        ("jupyterhub-data", False),
        ("/etc/letsencrypt", True),
    ]
    assert "BindOptions" not in mounts[1]
    behind = settings(proxy={"speaks": "http", "behind": ["10.1.2.3"]})
    assert [one["Source"] for one in contents.of_hub(behind, read_only=True)] == ["jupyterhub-data"]


def test_certificates_come_back_to_a_host_that_has_had_none() -> None:
    """The engine makes their folder; it refuses one that is missing otherwise."""
    assert contents.of_hub(settings(), read_only=False)[1]["BindOptions"] == {"CreateMountpoint": True}
