"""What goes with the hub to another node: folders, which are packed there and put in place here, through this machine's SSH."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from hub.shared.servers.mounts import is_on_one_node
from swarmhub.certificate import certbot
from swarmhub.certificate.certbot import FOLDER as CERTIFICATES
from swarmhub.certificate.certs import OWN, Certificate
from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.history.database import Database
from swarmhub.host import Host, Json
from swarmhub.inside import SCRIPTS
from swarmhub.plan.plans import Progress
from swarmhub.plan.shown import size
from swarmhub.services import renewal
from swarmhub.settings import Settings

SCRIPT, JOB, PARCEL, FOLDER = "swarmhub-parcel.py", "swarmhub-parcel.json", "/parcel.tar.gz", "/parcel"
# Python finds the others from there under the names that they have here.
OTHERS = ("database/sqlite.py", "database/rights.py")
SENT = {SCRIPT: "parcel.py", **{f"swarmhub/inside/{name}": name for name in OTHERS}}
# certbot's own configuration, and what it runs before and after a renewal.
OF_OPERATOR = ("cli.ini", "renewal-hooks")


@dataclass(frozen=True)
class Parcel:
    """A folder that goes with the hub: a volume or a path, and what of it.

    One that `replaces` takes the place of all that is there; what is in others is added, but what is `spared` only where it is
    missing. Each is in a container of its own: the hub that runs could put a link to the others there.
    """

    what: str
    source: str
    only: tuple[str, ...] = ()
    replaces: bool = False
    spared: tuple[str, ...] = ()


def data(settings: Settings) -> Parcel | None:
    """Return the hub's data; None where its volume is a file server's, which every manager mounts."""
    volume = settings.volume
    return Parcel("data", volume.name, replaces=True) if is_on_one_node(volume.driver, volume.options) else None


def beside(settings: Settings, found: Certificate | None) -> tuple[Parcel, ...]:
    """Return what goes with the data: the copies of the database, and the certificate of this hub, if TLS ends here."""
    copies = Parcel("copies of its database", Database(settings.volume.name, "", settings.hub.service).backups)
    return (copies, *([certificate(settings, found)] if settings.proxy.takes_tls else []))


def certificate(settings: Settings, found: Certificate | None) -> Parcel:
    """Return the certificate of this hub's domain, and the account that it was `found` to be got by: others' stay.

    What an operator has told certbot goes too, where it was told nothing yet.
    """
    domain, state = settings.hub.domain, renewal.state(settings)
    account = certbot.account_folder(found.directory, found.account) if found and found.account else "accounts"
    of_certbot = (account, f"archive/{domain}", f"live/{domain}", f"renewal/{domain}.conf")
    own = f"{OWN.removeprefix(CERTIFICATES)}/{domain}".lstrip("/")
    only = (*of_certbot, own, state.removeprefix(f"{CERTIFICATES}/"), *OF_OPERATOR)
    return Parcel("certificate", CERTIFICATES, only, spared=OF_OPERATOR)


def carry(
    source: Host, target: Host, parcel: Parcel, image: str, progress: Progress, *, time: str, is_last: bool = False
) -> None:
    """Pack a folder on one host, and put it in place on another; with `is_last` a hub may start with it from then on.

    Raises:
        StepError: it cannot be read, or put there; the hub that runs is not touched.

    """
    with _made(source, parcel, image, {"action": "pack", "only": parcel.only}, is_read=not parcel.replaces) as container:
        told = _done(source, container, parcel)
        packed = b"".join(source.engine.download(f"/containers/{container}/archive", path=PARCEL))
    job = {"action": "unpack", "spared": parcel.spared, "time": time if parcel.replaces else "", "is_last": is_last}
    with _made(target, parcel, image, job) as container:
        target.engine.put(f"/containers/{container}/archive", packed, path="/")
        aside = _done(target, container, parcel)["aside"]
    progress.log(
        target.name,
        f"{parcel.what}: {told['files']} files, {size(told['bytes'])}; {size(told['packed'])} sent from {source.name}",
    )
    if aside:
        progress.log(target.name, f"what was in {parcel.source} there is set aside in it, as {aside}")


def set_aside(host: Host, parcel: Parcel, image: str, progress: Progress, *, to: str, time: str) -> None:
    """Set aside what a host has of a hub that runs on another one now."""
    with _made(host, parcel, image, {"action": "aside", "to": to, "time": time}) as container:
        aside = _done(host, container, parcel)["aside"]
    if aside:
        progress.log(host.name, f"what {parcel.source} has here is of before, and set aside in it as {aside}")


def could_start(host: Host, parcel: Parcel, image: str) -> bool:
    """Tell whether a hub could start with what a host has, which has no volume without asking for one."""
    if host.engine.find(f"/volumes/{parcel.source}") is None or host.engine.find(f"/images/{image}/json") is None:
        return False
    with _made(host, parcel, image, {"action": "look"}, is_read=True) as container:
        return bool(_done(host, container, parcel)["data"])


@contextmanager
def _made(host: Host, parcel: Parcel, image: str, job: dict[str, Any], *, is_read: bool = False) -> Iterator[str]:
    body = {
        "Image": image,
        "User": "0",
        "Entrypoint": ["python3", "-B", f"/{SCRIPT}"],
        "Cmd": [],
        "Labels": {containers.LABEL: "move"},
        "HostConfig": {"Binds": [f"{parcel.source}:{FOLDER}{':ro' if is_read else ''}"], "NetworkMode": "none"},
    }
    with containers.made(host, body, {**_scripts(), JOB: json.dumps(job).encode()}) as container:
        yield container


@cache
def _scripts() -> dict[str, bytes]:
    return {name: (SCRIPTS / script).read_bytes() for name, script in SENT.items()}


def _done(host: Host, container: str, parcel: Parcel) -> Json:
    """Run a container to its end, and return what it answers."""
    host.engine.post(f"/containers/{container}/start")
    said = list(host.engine.logs(f"/containers/{container}/logs", follow=True))
    code = host.engine.post(f"/containers/{container}/wait")["StatusCode"]
    answer = next((line for line in said if line.startswith("{")), "") if not code else ""
    if not answer:
        raise _error(host, parcel, said)
    return json.loads(answer)


def _error(host: Host, parcel: Parcel, said: Sequence[str]) -> StepError:
    cause = f"the hub's {parcel.what} cannot be moved: {said[-1] if said else 'nothing is said'}"
    return StepError(host.name, cause, "Is there space left? Then run this again: the hub is where it was")
