"""The HTTP proxy by which a network reaches the internet: what is told of it, and what does not go by it."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

# Programs read the one or the other way of writing them.
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
EXCEPT = ("NO_PROXY", "no_proxy")


def variables(url: str, no_proxy: Iterable[str]) -> dict[str, str]:
    """Return the variables by which programs know of a proxy; none without one."""
    return {**dict.fromkeys(NAMES, url), **dict.fromkeys(EXCEPT, ",".join(no_proxy))} if url else {}


def of_servers(tables: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that people's servers get; whoever has a server reads them, so a secret is none of them."""
    table = tables.get("http_proxy") or {}  # an earlier release was not told of it
    url = table.get("url", "")
    return variables(url, table["no_proxy"]) if isinstance(url, str) and table.get("notebooks") else {}


def goes_past(host: str, no_proxy: Iterable[str]) -> bool:
    """Tell whether a host is asked past the proxy: by its address, its name, or that of a domain in which it is.

    A single word, such as a service's name, is no domain: `localhost` does not stand for `github.localhost`.
    """
    return any(_is_in(host.lower(), one.lower()) for one in no_proxy)


def _is_in(host: str, one: str) -> bool:
    try:
        return ip_address(host) in ip_network(one, strict=False)
    except ValueError:
        return host == one or ("." in one and host.endswith(f".{one.lstrip('.')}"))
