"""What goes with the hub: which folders, in containers of their own, and what is told where one cannot go."""

import io
import json
import tarfile
from dataclasses import replace
from typing import Any

import pytest

from swarmhub.certificate.certs import parse
from swarmhub.errors import StepError
from swarmhub.move import parcels
from swarmhub.move.parcels import Parcel
from tests.unit.support.authority import Authority
from tests.unit.support.fakes import DOMAIN, FakeHost, FakeProgress, Request, once, settings

DATA = Parcel("data", "jupyterhub-data", replaces=True)
PACKED = {"files": 14, "bytes": 312_000, "packed": 45_000}


def made(host: FakeHost) -> list[dict[str, Any]]:
    """Return the containers that a host was asked for."""
    return [one.body for one in host.engine.requests if str(one) == "POST /containers/create"]


def jobs(host: FakeHost) -> list[dict[str, Any]]:
    """Return the jobs that a host's containers were given."""
    return [job for one in host.engine.requests if str(one) == "PUT /containers/once/archive" and (job := _job(one))]


def _job(request: Request) -> dict[str, Any]:
    try:
        with tarfile.open(fileobj=io.BytesIO(request.body)) as tar:
            file = tar.extractfile("swarmhub-parcel.json")
            return dict(json.load(file)) if file else {}
    except (tarfile.TarError, KeyError):
        return {}


def hosts(said: Any = None) -> tuple[FakeHost, FakeHost]:
    """Return a host that packs, and one that unpacks, or says something else."""
    here = FakeHost("a", once(json.dumps(PACKED)) | {"GET /containers/once/archive": [b"packed ", b"bytes"]})
    return here, FakeHost("b", once(json.dumps({"aside": ""} if said is None else said)))


def test_the_hubs_own_parts_go(authority: Authority) -> None:
    """Of certificates those of its domain, and the account that they were got by, or all. None if TLS ends there."""
    copies, certificate = parcels.beside(settings(), None)
    assert (parcels.data(settings()), copies.source) == (DATA, "jupyterhub_backups")
    assert certificate.source == "/etc/letsencrypt"
    assert certificate.only == (
        "accounts",
        f"archive/{DOMAIN}",
        f"live/{DOMAIN}",
        f"renewal/{DOMAIN}.conf",
        f"own/{DOMAIN}",
        "swarmhub-renewal-jupyterhub.json",
        "cli.ini",
        "renewal-hooks",
    )
    assert certificate.spared == ("cli.ini", "renewal-hooks")
    found = replace(parse(authority.issue(DOMAIN)[0], "https://acme.example.org/dir"), account="abc")
    assert parcels.certificate(settings(), found).only[0] == "accounts/acme.example.org/dir/abc"
    behind = settings(proxy={"behind": ["10.0.0.1"], "speaks": "http", "http_port": 8080})
    assert [one.what for one in parcels.beside(behind, None)] == ["copies of its database"]


def test_a_volume_of_a_file_server_is_there_already() -> None:
    """Its data would be copied onto themselves."""
    device = {"type": "nfs", "o": "addr=nas", "device": ":/hub"}
    assert parcels.data(settings(volume={"options": device})) is None
    assert parcels.data(settings(volume={"driver": "glusterfs"})) is None


def test_a_folder_goes_through_this_machine(progress: FakeProgress) -> None:
    """Each is alone in its container, which has no network; what is read only is mounted so."""
    here, there = hosts()
    parcels.carry(here, there, DATA, "hub:1", progress, time="20261130-010203", is_last=True)
    parcels.carry(here, there, Parcel("certificate", "/etc/letsencrypt", ("accounts",)), "hub:1", progress, time="now")
    assert [one["HostConfig"] for one in made(here)] == [
        {"Binds": ["jupyterhub-data:/parcel"], "NetworkMode": "none"},
        {"Binds": ["/etc/letsencrypt:/parcel:ro"], "NetworkMode": "none"},
    ]
    assert jobs(there) == [
        {"action": "unpack", "spared": [], "time": "20261130-010203", "is_last": True},
        {"action": "unpack", "spared": [], "time": "", "is_last": False},
    ]
    sent = [one.body for one in there.engine.requests if one.method == "PUT" and one.body == b"packed bytes"]
    assert len(sent) == 2
    assert ("b", "data: 14 files, 312 kB; 45 kB sent from a") in progress.lines
    for host in (here, there):
        assert host.engine.asked("DELETE") == ["DELETE /containers/once"] * 2


def test_what_was_there_is_told(progress: FakeProgress) -> None:
    """By the name under which it is now."""
    here, there = hosts({"aside": "before-move-1"})
    parcels.carry(here, there, DATA, "hub:1", progress, time="1")
    assert ("b", "what was in jupyterhub-data there is set aside in it, as before-move-1") in progress.lines
    parcels.set_aside(there, DATA, "hub:1", progress, to="c", time="1")
    assert jobs(there)[-1] == {"action": "aside", "to": "c", "time": "1"}


def test_what_cannot_be_packed_is_told_with_the_hub_where_it_was(progress: FakeProgress) -> None:
    """The other host is not asked, and no container is left."""
    here, there = hosts()
    here.engine.answers |= once("OSError: [Errno 28] No space left on device", code=1)
    with pytest.raises(StepError, match=r"the hub's data cannot be moved: OSError: .*No space left"):
        parcels.carry(here, there, DATA, "hub:1", progress, time="1")
    assert (there.engine.requests, here.engine.asked("DELETE")) == ([], ["DELETE /containers/once"])


def test_a_host_without_the_volume_or_the_image_has_nothing_to_set_aside() -> None:
    """Neither is made by the question."""
    host = FakeHost("c", once('{"data": true}'))
    assert not parcels.could_start(host, DATA, "hub:1")
    host.engine.answers |= {"GET /volumes/jupyterhub-data": {"Name": "jupyterhub-data"}}
    assert not parcels.could_start(host, DATA, "hub:1")
    assert made(host) == []
    host.engine.answers |= {"GET /images/hub:1/json": {"Id": "sha256:1"}}
    assert parcels.could_start(host, DATA, "hub:1")
    assert made(host)[0]["HostConfig"]["Binds"] == ["jupyterhub-data:/parcel:ro"]
