"""What each program is told of the HTTP proxy that leads to the internet."""

from collections.abc import Mapping

from pydantic import SecretStr

from hub.shared import http_proxy, services
from swarmhub.settings import Settings

LOCAL = ("localhost", "127.0.0.1", "::1")


def past(settings: Settings, subnet: str = "") -> list[str]:
    """Return what is asked past the proxy: this machine, the hub's own services and network, then what the operator names."""
    own = [*LOCAL, *sorted(services.names(settings.hub.service)), *filter(None, (subnet or settings.network.subnet,))]
    return list(dict.fromkeys([*own, *settings.http_proxy.no_proxy]))


def url(settings: Settings, secrets: Mapping[str, SecretStr]) -> str:
    """Return the proxy's address, which may have a password; nothing without one."""
    if name := settings.http_proxy.secret:
        return secrets[name].get_secret_value()
    return str(settings.http_proxy.url or "")


def variables(settings: Settings, secrets: Mapping[str, SecretStr]) -> dict[str, SecretStr]:
    """Return the variables by which programs know of the proxy; none without one."""
    found = http_proxy.variables(url(settings, secrets), past(settings))
    return {name: SecretStr(value) for name, value in found.items()}
