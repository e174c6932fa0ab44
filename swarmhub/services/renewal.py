"""The certificate's renewal on the cluster: a small service, so that no operator's machine has to be on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hub.shared import services
from swarmhub.certificate import certbot, certs, dns_challenge
from swarmhub.certificate.certbot import FOLDER, CertificateRequest
from swarmhub.certificate.dns_challenge import Dns
from swarmhub.engine.swarm import configs, replicated, specs
from swarmhub.engine.swarm import secrets as swarm_secrets
from swarmhub.engine.swarm.replicated import LABEL, SECOND
from swarmhub.host import Host, Json
from swarmhub.inside import SCRIPTS
from swarmhub.plan import commands
from swarmhub.plan.plans import Change, Cost
from swarmhub.services.hub import service as hub_service
from swarmhub.services.hub.service import Parts
from swarmhub.settings import Settings, outbound
from swarmhub.settings.secrets import swarm_name

SCRIPT = SCRIPTS / "renew.py"
IN_CONTAINER = "/swarmhub-renew.py"
CREDENTIALS = "dns-credentials"
PROXY_FILE = "HTTP_PROXY_FILE"
LIMIT_SECONDS = 600  # of one run of certbot; by DNS it also waits until the record has spread
# certbot has up to 100 MiB.
MEMORY = replicated.GIB // 2


@dataclass(frozen=True)
class RenewalState:
    """How the renewal stands: how often it has failed in a row, why, and when it is tried again."""

    failures: int
    reason: str
    next: datetime | None

    @property
    def told(self) -> str:
        """Return how often it has failed and why, as people read it."""
        times = "once" if self.failures == 1 else f"{self.failures} times"
        again = f"; the next try is at {self.next:%Y-%m-%d %H:%M} UTC" if self.next else ""
        return f"{times}: {self.reason}{again}"


@dataclass(frozen=True)
class ExistingRenewal:
    """The service as it is, and the Swarm secrets that were made for the hub and what stands beside it, by name."""

    service: Json | None
    secrets: Mapping[str, str]


def name(settings: Settings) -> str:
    """Return the name of the service."""
    return services.renewal(settings.hub.service)


def state(settings: Settings) -> str:
    """Return the file in which the service keeps how it stands; each hub has its own."""
    return f"{FOLDER}/swarmhub-renewal-{settings.hub.service}.json"


def is_wanted(settings: Settings) -> bool:
    """Tell whether certbot can renew at any time, and a proxy of its own takes the new certificate as it runs."""
    is_answered = settings.certs.dns is not None or settings.proxy.http_port == certbot.HTTP
    return settings.proxy.separate and settings.proxy.takes_tls and is_answered and not settings.certs.is_own


def observe(manager: Host, settings: Settings) -> RenewalState | None:
    """Read how the renewal stands; None where none was tried yet."""
    found = manager.run("cat", state(settings))
    try:
        return read(json.loads(found.out)) if not found.code else None
    except ValueError:
        return None


def read(data: Json) -> RenewalState:
    """Read what the service has written."""
    at = datetime.fromisoformat(data["next"]) if data["next"] else None
    return RenewalState(data["failures"], certbot.reason(data["said"].splitlines()) if data["said"] else "", at)


def _files(settings: Settings, wanted: CertificateRequest) -> list[Json]:
    there = {IN_CONTAINER: SCRIPT.read_text()} | ({certbot.CA_IN_CONTAINER: wanted.ca} if wanted.ca else {})
    return [configs.reference(place, name(settings), content, configs.EVERYBODYS) for place, content in there.items()]


def secret_name(settings: Settings, dns: Dns, cluster: str) -> str:
    """Return the name of the secret with the DNS provider's credentials."""
    return swarm_name(settings.hub.service, CREDENTIALS, dns.credentials, cluster)


def without_its_own(settings: Settings, hub: hub_service.ExistingHub) -> hub_service.ExistingHub:
    """Return what was found of the hub without the renewal's secret, which the hub would take for one left over."""
    return replace(hub, secrets={one: id_ for one, id_ in hub.secrets.items() if not _is_its_own(settings, one)})


def _is_its_own(settings: Settings, secret: str) -> bool:
    return secret.startswith(f"{settings.hub.service}-{CREDENTIALS}-")


def desired(settings: Settings, wanted: CertificateRequest, parts: Parts) -> dict[str, Any]:
    """Return the service's whole spec."""
    of_dns = (
        [swarm_secrets.reference(dns_challenge.CREDENTIALS, secret_name(settings, wanted.dns, parts.cluster))]
        if wanted.dns
        else []
    )
    command = ["certbot", *certbot.renewal(wanted)]
    limit = LIMIT_SECONDS + (wanted.dns.propagation if wanted.dns else 0)
    environment = {
        "CHAIN": certs.place(settings, certs.CHAIN),
        "STATE": state(settings),
        "LIMIT": str(limit),
        **wanted.environment,
        **_of_proxy(settings, wanted),
    }
    container = {
        "Image": wanted.image,
        "Command": ["python3", IN_CONTAINER, *command],
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "Mounts": [{"Type": "bind", "Source": FOLDER, "Target": FOLDER}],
        "Configs": _files(settings, wanted),
        **replicated.privileges(),
        "Secrets": [*of_dns, *_proxys_secret(settings, wanted, parts)],
        "StopGracePeriod": 60 * SECOND,
    }
    return {
        "Name": name(settings),
        "Labels": {LABEL: settings.hub.service},
        "TaskTemplate": {
            "ContainerSpec": container,
            "Placement": replicated.on_manager(parts.node),
            "RestartPolicy": {"Condition": "any", "Delay": 10 * SECOND},
            **replicated.limits(MEMORY),
            **replicated.logged(parts.logs),
        },
        **replicated.rollout(),
    }


def _of_proxy(settings: Settings, wanted: CertificateRequest) -> dict[str, str]:
    """Return the variables by which certbot learns of an HTTP proxy; of a secret's address, where it is."""
    if wanted.variables and settings.http_proxy.secret:
        return {PROXY_FILE: f"/run/secrets/{settings.http_proxy.secret}", "NO_PROXY": ",".join(outbound.past(settings))}
    return {name: value.get_secret_value() for name, value in wanted.variables.items()}


def _proxys_secret(settings: Settings, wanted: CertificateRequest, parts: Parts) -> list[Json]:
    """Return how the secret with an HTTP proxy's address is mounted; the hub has the same."""
    name = settings.http_proxy.secret
    if not (wanted.variables and name):
        return []
    in_swarm = swarm_name(settings.hub.service, name, wanted.variables["HTTPS_PROXY"], parts.cluster)
    return [swarm_secrets.reference(name, in_swarm)]


def changes(
    settings: Settings, wanted: CertificateRequest, spec: dict[str, Any], found: ExistingRenewal, manager: str
) -> list[Change]:
    """Return what makes the service as wanted, with its files and its secret before it, and takes an older secret away."""
    names = [one["SecretName"] for one in spec["TaskTemplate"]["ContainerSpec"]["Secrets"]]
    made = [
        _secret(settings, one, wanted.dns, manager)
        for one in names
        if wanted.dns and _is_its_own(settings, one) and one not in found.secrets
    ]
    return [*made, *_sending(spec, found.service, manager), *_forgetting(settings, found, names, manager)]


def _secret(settings: Settings, in_swarm: str, dns: Dns, manager: str) -> Change:
    hub, file = settings.hub.service, str(settings.certs.dns_credentials)
    command = commands.line("secret", "create", "--label", f"{LABEL}={hub}", in_swarm, file)
    return replace(swarm_secrets.make(CREDENTIALS, in_swarm, dns.credentials, hub, manager), command=command)


def _sending(spec: dict[str, Any], found: Json | None, manager: str) -> list[Change]:
    spec = configs.keeping(spec, found and found["Spec"])
    if found and not (differs := specs.compare(spec, found["Spec"])):
        return []
    change = (
        replace(replicated.update(spec, found, manager, differs), cost=Cost.NOTHING)
        if found
        else replicated.create(spec, manager)
    )
    return [replicated.tidied(change, spec)]


def removal(settings: Settings, found: ExistingRenewal, manager: str) -> list[Change]:
    """Return what takes the service and its secret away."""
    gone = [replicated.removal("service", name(settings), found.service["ID"], manager)] if found.service else []
    return [*gone, *_forgetting(settings, found, [], manager)]


def _forgetting(settings: Settings, found: ExistingRenewal, kept: Sequence[str], manager: str) -> list[Change]:
    stale = {one: id_ for one, id_ in found.secrets.items() if _is_its_own(settings, one) and one not in kept}
    return [replicated.removal("secret", one, id_, manager) for one, id_ in stale.items()]
