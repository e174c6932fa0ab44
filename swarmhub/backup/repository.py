"""The repository that backups are in, asked by a container on a host; it has the secrets in a file that it removes."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from hub.shared import database as shared
from hub.shared import services
from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json
from swarmhub.inside import SCRIPTS
from swarmhub.inside.backup.restic import STOP_SECONDS, host_name, parsed
from swarmhub.plan.plans import Change, Progress
from swarmhub.settings import Settings, read_text
from swarmhub.settings.secrets import BACKUP, BACKUP_REST, BACKUP_S3, Secrets

JOB, MODULE = "swarmhub-backup.json", "swarmhub.inside.backup"
# Python finds them from the container's root under the names that they have here.
SENT = (*(f"inside/database/{name}.py" for name in ("postgresql", "rights", "sqlite")), "inside/backup")
OF_SCHEDULE = ("inside/schedule", "inside/unix.py")
CACHE = "/cache"
# On the volume of the cache and on containers: it tells whose they are.
LABEL = "swarmhub.restic"
REMEDIES = {
    "password": f"Set {BACKUP} to the password that the repository was made with: without it nobody can read the backups",
    "missing": "Is backup.repository right? The first fab backup makes it; a folder has to be the same on every host",
    "silent": "Is backup.repository right, and is it up? Every host has to reach it",
    "locked": "Something else works on the repository, or was killed less than half an hour ago: wait, then run this again",
    "busy": "The schedule, or somebody else, saves or restores there: wait until that is done, then run this again",
    "absent": "Put the manager that has the hub first in hosts.toml, then: fab deploy; if that one is lost: fab restore",
    "nothing": "See what there is: fab backups",
    "link": "Put it into a folder of its own in the home: --to DIR",
    "database": "Nothing was changed. Go on from another backup (fab backups), or see: fab releases",
    "damaged": "The backup is damaged, and nothing was changed. Take another one: fab backups",
    "disk": "Is there space left, there and in the repository? Then run this again",
}
# What is told by restic's own words, and ssh's.
TOLD = {
    "Host key verification failed": "Put the host key of the repository's host into backup.ssh_known_hosts: ssh-keyscan HOST",
    "Permission denied": "Put the public half of backup.ssh_key into authorized_keys there; its folder has to be writable",
    "Access Denied": "Are BACKUP_S3_KEY_ID and BACKUP_S3_KEY those of the bucket?",
    "InvalidAccessKeyId": "Are BACKUP_S3_KEY_ID and BACKUP_S3_KEY those of the bucket?",
    "SignatureDoesNotMatch": "Are BACKUP_S3_KEY_ID and BACKUP_S3_KEY those of the bucket?",
    "(401)": "Are BACKUP_REST_USER and BACKUP_REST_PASSWORD those of the server?",
    "no space left": "Free some space in the repository, or on the host, then run this again",
    "certificate": "Name the CA of the server: backup.ca",
}
DRILL = "The backup is of no use as it is: see what a fresh one does: fab backup, then fab backup-verify"
DAMAGED = "The repository is damaged: take another backup (fab backups), or repair it: restic check, restic repair"


@dataclass(frozen=True)
class Repository:
    """Where backups are, what opens it, and the image that does."""

    address: str
    image: str
    hub: str
    password: SecretStr
    s3: tuple[SecretStr, ...] = ()
    user: tuple[SecretStr, ...] = ()
    ssh_key: SecretStr | None = None
    known_hosts: str = ""
    ca: str = ""
    folder: str = ""

    @property
    def job(self) -> dict[str, Any]:
        """Return what the container is told of it, secrets included."""
        address = self.address
        if self.user:
            # What is neither a letter nor a digit would end the password, and be told in a message.
            user, password = (quote(one.get_secret_value(), safe="") for one in self.user)
            scheme, _, rest = address.partition("://")
            address = f"{scheme}://{user}:{password}@{rest}"
        return {
            "repository": address,
            "password": self.password.get_secret_value(),
            "s3": [one.get_secret_value() for one in self.s3],
            "ssh_key": self.ssh_key.get_secret_value() if self.ssh_key else "",
            "known_hosts": self.known_hosts,
            "ca": self.ca,
        }


def of(settings: Settings, secrets: Secrets, image: str) -> Repository:
    """Return the repository of the settings.

    Raises:
        SettingsError: a file that they name cannot be read.

    """
    backup = settings.backup
    address = backup.repository or ""
    files = {"backup.ssh_key": backup.ssh_key, "backup.ssh_known_hosts": backup.ssh_known_hosts, "backup.ca": backup.ca}
    texts = {key: read_text(file, f"{key} names it") if file else "" for key, file in files.items()}
    return Repository(
        address,
        image,
        settings.hub.service,
        secrets[BACKUP],
        s3=_all(secrets, BACKUP_S3),
        user=_all(secrets, BACKUP_REST),
        ssh_key=SecretStr(texts["backup.ssh_key"]),
        known_hosts=texts["backup.ssh_known_hosts"],
        ca=texts["backup.ca"],
        folder=address if address.startswith("/") else "",
    )


def _all(secrets: Secrets, names: Sequence[str]) -> tuple[SecretStr, ...]:
    return tuple(secrets[name] for name in names) if all(name in secrets for name in names) else ()


def ask(
    host: Host,
    repository: Repository,
    action: str,
    mounts: Sequence[Json] = (),
    *,
    files: Mapping[str, bytes] | None = None,
    progress: Progress | None = None,
    **job: Any,
) -> Json:
    """Let a container on a host do something with the repository, and return its answer.

    Raises:
        StepError: it cannot be done.

    """
    parts: list[str] = []

    def hear(line: str) -> None:
        told = parsed(line)
        if "part" in told:
            parts.append(told["part"])
        elif progress and told.get("total"):
            progress.amount(host.name, told["done"], told["total"])

    job = {**repository.job, "action": action, **job}
    sent = {**program(), JOB: json.dumps(job).encode(), **(files or {})}
    made = {**body(repository, mounts), "Hostname": host_name()}
    done = containers.once(host, made, files=sent, mode=0o600, say=hear)
    answer = parsed("".join(parts))
    if "answer" in answer:
        return answer["answer"]
    kind, cause = answer.get("kind", ""), answer.get("failed") or done.last
    raise StepError(host.name, f"{repository.address}: {cause}", remedy(kind, cause))


@cache
def program(more: Sequence[str] = ()) -> Mapping[str, bytes]:
    """Return what runs in the container, with `more` parts of the package."""
    package = SCRIPTS.parent
    files = [file for name in (*SENT, *more) for file in _files(package / name)]
    return {str(file.relative_to(package.parent)): file.read_bytes() for file in files}


def _files(place: Path) -> list[Path]:
    return sorted(place.glob("*.py")) if place.is_dir() else [place]


def remedy(kind: str, cause: str) -> str:
    """Return what helps."""
    if "PostgreSQL: " in cause:
        return shared.help_for(cause) or REMEDIES["database"]
    # What is told in our own words may have a file's name in it.
    is_restics = kind not in REMEDIES or kind == "silent"
    told = next((text for said, text in TOLD.items() if is_restics and said in cause), "")
    return told or REMEDIES.get(kind) or (DAMAGED if kind == "restic" else "Run this again; with --debug for more")


def opening(repository: Repository, manager: str) -> Change:
    """Return what makes sure that the repository is there, and makes it before the first backup."""

    def open_(host: Host, progress: Progress) -> None:
        if ask(host, repository, "open", make=True)["made"]:
            progress.log(
                host.name, f"{repository.address} is created. Without {BACKUP} nobody can read it: keep that in a second place"
            )

    return Change("open", f"the repository {repository.address}", manager, open_)


def end(host: Host, hub: str) -> None:
    """Remove the containers that still ask for a hub: who has pressed Ctrl-C wants none that goes on, and no lock of theirs."""
    for one in host.engine.get("/containers/json", all=True, filters={"label": [f"{LABEL}={hub}"]}):
        with suppress(EngineError):
            host.engine.post(f"/containers/{one['Id']}/stop", t=STOP_SECONDS)
        host.engine.delete(f"/containers/{one['Id']}", force=True, v=True)


def body(repository: Repository, mounts: Sequence[Json]) -> Json:
    """Return how a container is made that asks the repository."""
    labels = {LABEL: repository.hub}
    cache = {"Type": "volume", "Source": services.restic(repository.hub), "Target": CACHE, "VolumeOptions": {"Labels": labels}}
    folder = [{"Type": "bind", "Source": repository.folder, "Target": repository.folder}] if repository.folder else []
    return {
        "Image": repository.image,
        "User": "0",
        "Entrypoint": ["python3", "-B", "-m", MODULE],
        "WorkingDir": "/",
        "Cmd": [],
        "Labels": {containers.LABEL: "backup", LABEL: repository.hub},
        # The repository is reached as the host reaches it.
        "HostConfig": {"Mounts": [cache, *folder, *mounts], "NetworkMode": "host"},
    }
