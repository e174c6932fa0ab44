"""The certificate's renewal on the cluster: a small service, so that no operator's machine has to be on."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from swarmhub import certs, service, specs, swarm_config
from swarmhub.certs import FOLDER, Wanted
from swarmhub.host import EngineError, Host, Json
from swarmhub.plan import Change, Cost, Progress
from swarmhub.service import LABEL, SECOND
from swarmhub.settings import Settings

STATE = f"{FOLDER}/swarmhub-renewal.json"
SCRIPT = Path(__file__).parent / "inside" / "renew.py"
IN_CONTAINER = "/swarmhub-renew.py"
EXISTS = 409


@dataclass(frozen=True)
class State:
    """How the renewal stands: how often it has failed in a row, why, and when it is tried again."""

    failures: int
    reason: str
    next: datetime | None

    @property
    def told(self) -> str:
        """Return how often it has failed and why, as people read it."""
        times = "once" if self.failures == 1 else f"{self.failures} times"
        again = f"; it is tried again at {self.next:%Y-%m-%d %H:%M} UTC" if self.next else ""
        return f"{times}: {self.reason}{again}"


def name(settings: Settings) -> str:
    """Return the name of the service."""
    return f"{settings.hub.service}-renewal"


def is_wanted(settings: Settings) -> bool:
    """Tell whether there is somebody on port 80 who answers the certificate authority at any time, and gets what is wanted."""
    answers = settings.proxy.separate and settings.proxy.http_port == certs.HTTP
    return answers and not settings.hub.subdomains


def observe(manager: Host) -> State | None:
    """Read how the renewal stands; None where none was tried yet."""
    found = manager.run("cat", STATE)
    try:
        return read(json.loads(found.out)) if not found.code else None
    except ValueError:
        return None


def read(data: Json) -> State:
    """Read what the service has written."""
    at = datetime.fromisoformat(data["next"]) if data["next"] else None
    return State(data["failures"], certs.reason(data["said"].splitlines()) if data["said"] else "", at)


def files(settings: Settings, wanted: Wanted) -> dict[str, tuple[str, bytes]]:
    """Map where a file is in the container to its Swarm config's name, which changes with the content, and the content."""
    there = {IN_CONTAINER: SCRIPT.read_bytes()} | ({certs.CA_IN_CONTAINER: wanted.ca.encode()} if wanted.ca else {})
    return {
        place: (f"{name(settings)}-{hashlib.sha256(content).hexdigest()[:12]}", content) for place, content in there.items()
    }


def desired(settings: Settings, wanted: Wanted, directory: str, node: str) -> dict[str, Any]:
    """Return the service's whole spec; `directory` is the ACME server's, `node` the one that has the certificate."""
    certbot = ["certbot", *certs.arguments(wanted, directory, force=True)]
    environment = {"CHAIN": certs.live(settings.hub.domain, "fullchain.pem"), "STATE": STATE}
    if wanted.ca:
        environment["REQUESTS_CA_BUNDLE"] = certs.CA_IN_CONTAINER
    container = {
        "Image": wanted.image,
        "Command": ["python3", IN_CONTAINER, *certbot],
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "Mounts": [{"Type": "bind", "Source": FOLDER, "Target": FOLDER}],
        "Configs": [
            {"ConfigName": config, "File": {"Name": place, "UID": "0", "GID": "0", "Mode": 0o444}}
            for place, (config, _) in files(settings, wanted).items()
        ],
        "StopGracePeriod": 60 * SECOND,
    }
    return {
        "Name": name(settings),
        "Labels": {LABEL: settings.hub.service},
        "TaskTemplate": {
            "ContainerSpec": container,
            "Placement": service.on_manager(node),
            "RestartPolicy": {"Condition": "any", "Delay": 10 * SECOND},
        },
        **service.rollout(),
    }


def changes(settings: Settings, wanted: Wanted, spec: dict[str, Any], found: Json | None, manager: str) -> list[Change]:
    """Return what makes the service as wanted, with its files."""
    if found and not (differs := specs.compare(spec, found["Spec"])):
        return []
    change = (
        replace(service.update(spec, found, manager, differs), cost=Cost.NOTHING) if found else service.create(spec, manager)
    )
    make = partial(_make_files, list(files(settings, wanted).values()), settings.hub.service)
    return [Change("keep", "the files of the renewal", manager, make), change]


def removal(found: Json | None, manager: str) -> list[Change]:
    """Return what takes the service away."""
    return [service.removal(found, manager)] if found else []


def _make_files(wanted: list[tuple[str, bytes]], hub: str, manager: Host, _: Progress) -> None:
    for config, content in wanted:
        try:
            swarm_config.create_file(manager, config, {LABEL: hub}, content)
        except EngineError as error:
            if error.status != EXISTS:
                raise
