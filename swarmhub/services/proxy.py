"""The proxy as a service of its own: people stay connected while the hub is replaced."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from hub.shared import services
from swarmhub.certificate import certbot
from swarmhub.certificate.certs import CHAIN, KEY, place
from swarmhub.engine.swarm import replicated, specs
from swarmhub.engine.swarm import secrets as swarm_secrets
from swarmhub.engine.swarm.replicated import LABEL, SECOND
from swarmhub.host import Json
from swarmhub.plan.plans import Change, Cost
from swarmhub.services.hub.service import IN_ENVIRONMENT, Parts
from swarmhub.settings import Settings
from swarmhub.settings.schema.model import PROXY_TOKEN
from swarmhub.settings.secrets import Secrets

STEP = "proxy"
# 50 MiB with nobody, 250 with 600 websockets, and 30 kB for each of the 32,768 connections that nginx has at most.
MEMORY = 2 * replicated.GIB
# By HTTP: without a certificate the proxy still answers the authority that is to give one.
HEALTHY = "until curl --fail --silent --max-time 2 --output /dev/null http://127.0.0.1/_chp_healthz; do sleep 0.1; done"


def name(settings: Settings) -> str:
    """Return the name of the proxy's service."""
    return services.proxy(settings.hub.service)


def answers_http(found: Json | None) -> bool:
    """Tell whether the proxy's service has port 80, where certificate authorities ask."""
    ports = (found or {}).get("Spec", {}).get("EndpointSpec", {}).get("Ports") or []
    return any(one["PublishedPort"] == certbot.HTTP for one in ports)


def has_certificates(found: Json) -> bool:
    """Tell whether the proxy's service has the folder of certificates: not where a reverse proxy in front has taken TLS."""
    mounts = found["Spec"]["TaskTemplate"]["ContainerSpec"].get("Mounts") or []
    return any(one["Target"] == certbot.FOLDER for one in mounts)


def token_name(hub: str, found: Json | None, secrets: Collection[str]) -> str:
    """Return the name that the token's secret has among a hub's `secrets`, or that it will have.

    It is made once, and never changes: each change would break every connection.
    """
    name = f"{hub}-{PROXY_TOKEN.lower()}"
    container = found["Spec"]["TaskTemplate"]["ContainerSpec"] if found else {}
    in_use = [one["SecretName"] for one in container.get("Secrets") or [] if one["File"]["Name"] == PROXY_TOKEN]
    there = [*in_use, *sorted(one for one in secrets if one.startswith(name))]
    return next((one for one in there if one in secrets), name)


def desired(settings: Settings, secrets: Secrets, parts: Parts) -> dict[str, Any]:
    """Return the proxy's whole spec."""
    hub = settings.hub
    callback = urlsplit(secrets[IN_ENVIRONMENT].get_secret_value())
    environment = {
        "SSL_KEY": place(settings, KEY),
        "SSL_CERT": place(settings, CHAIN),
        "ACME_FOLDER": certbot.FOLDER,
        "PUBLIC_URL": f"https://{callback.netloc}",
        # Who has been told once to come by HTTPS only cannot get past a staging certificate any more.
        "HSTS": "0" if settings.certs.is_staging and settings.proxy.takes_tls else "1",
        "SUBDOMAINS": "1" if hub.subdomains else "0",
        "BASE_URL": hub.base_url,
        "BEHIND": " ".join(settings.proxy.behind),
        "SPEAKS": settings.proxy.speaks,
        "HUB_URL": f"http://{hub.service}:8081",
        "PROXY_SUBNET": parts.proxy_subnet,
        # The routing mesh puts its own address in the place of the client's.
        "CLIENTS": "1" if hub.publish == "host" else "0",
        "FORMS": " ".join(_forms(settings, callback.netloc)),
    }
    container = {
        "Image": parts.proxy_image,
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "Mounts": _mounts(settings),
        "Ulimits": replicated.files(),
        "Secrets": [swarm_secrets.reference(PROXY_TOKEN, parts.proxy_token)],
        # nginx gives its folders to the user that its workers become. JupyterHub's proxy has another one, and is told to stop.
        **replicated.privileges("CHOWN", "KILL", "SETGID", "SETUID"),
        "Healthcheck": replicated.healthcheck(HEALTHY),
        "StopGracePeriod": 10 * SECOND,
    }
    ports = [
        *([(443, hub.port)] if settings.proxy.takes_tls else []),
        *([(80, settings.proxy.http_port)] if settings.proxy.http_port else []),
    ]
    return {
        "Name": name(settings),
        "Labels": {LABEL: hub.service},
        "TaskTemplate": {
            "ContainerSpec": container,
            "Placement": replicated.on_manager(parts.node),
            "RestartPolicy": {"Condition": "any", "Delay": 2 * SECOND},
            **replicated.limits(MEMORY),
            **replicated.logged(parts.logs),
            "Networks": [
                {"Target": parts.network},
                {"Target": parts.proxy_network, "Aliases": [services.proxy_api(hub.service)]},
            ],
        },
        **replicated.rollout(),
        "EndpointSpec": {
            "Mode": settings.network.endpoint_mode,
            "Ports": [replicated.port(inside, outside, hub.publish) for inside, outside in ports],
        },
    }


def _mounts(settings: Settings) -> list[Json]:
    """Return the mount of the certificates; where TLS ends at a reverse proxy in front, the node may have no such folder."""
    folder = {"Type": "bind", "Source": certbot.FOLDER, "Target": certbot.FOLDER, "ReadOnly": True}
    return [folder] if settings.proxy.takes_tls else []


def _forms(settings: Settings, netloc: str) -> list[str]:
    """Return where a form of the hub's pages may lead, besides the hub: back to what asks it who somebody is."""
    options = settings.jupyterhub.get("JupyterHub", {})
    asking = [str(one.get("oauth_redirect_uri", "")) for one in options.get("services", ()) if isinstance(one, dict)]
    origins = {f"{url.scheme}://{url.netloc}" for url in map(urlsplit, asking) if url.netloc}
    return [*([f"https://*.{netloc}"] if settings.hub.subdomains else []), *sorted(origins)]


def changes(
    wanted: dict[str, Any], found: Json | None, hub: Json | None, manager: str, networks: Sequence[str] = ()
) -> list[Change]:
    """Return what makes the service as wanted; a hub that still publishes the port gives it up first.

    `networks` are the names of those that the proxy is on.
    """
    if found is None:
        return [*_closing(hub, wanted, manager), replicated.create(wanted, manager, networks)]
    differs = specs.compare(wanted, found["Spec"])
    return [replace(replicated.update(wanted, found, manager, differs), cost=Cost.RECONNECT)] if differs else []


def removal(found: Json | None, manager: str) -> list[Change]:
    """Return what takes the service away, so that the hub can run the proxy itself."""
    if found is None:
        return []
    return [replicated.removal("service", found["Spec"]["Name"], found["ID"], manager, Cost.RECONNECT)]


def _closing(hub: Json | None, wanted: Mapping[str, Any], manager: str) -> list[Change]:
    """Return what takes the ports off a hub that runs its proxy itself."""
    if hub is None or not (hub["Spec"].get("EndpointSpec") or {}).get("Ports"):
        return []
    labels = {**(hub["Spec"].get("Labels") or {}), LABEL: wanted["Labels"][LABEL]}
    spec = {**hub["Spec"], "Labels": labels, "EndpointSpec": {"Mode": wanted["EndpointSpec"]["Mode"]}}
    differs = [item for item in specs.compare(spec, hub["Spec"]) if item.path.startswith("EndpointSpec")]
    # One that was made by hand has been given its label in the same plan.
    is_taken = labels != (hub["Spec"].get("Labels") or {})
    return [replicated.update(spec, hub, manager, tuple(differs), again=is_taken)]
