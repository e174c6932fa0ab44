"""Run nginx and JupyterHub's proxy until one of them ends; give nginx a new certificate when there is one.

nginx holds the connections and takes a new certificate without dropping one.
Without any it serves port 80 alone, where the certificate authority asks.
Where a reverse proxy in front takes TLS, that one alone is let in at port 80.
The other knows which path is whose; its API listens on the network that only
the hub shares with it.
"""

import asyncio
import hashlib
import ipaddress
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TEMPLATE, TLS, WAY, HUB = (Path(__file__).with_name(name) for name in ("nginx.conf", "tls.conf", "way.conf", "hub.conf"))
# JupyterHub's proxy takes its token from its environment only, which others may read: this puts it there from within.
READER = Path(__file__).with_name("reader.cjs")
ROUTES = Path("/proc/net/route")
CONFIG = Path("/run/nginx.conf")
TOKEN = Path("/run/secrets/PROXY_TOKEN")
REDIRECT = "location / { return 301 https://$public{{ https }}$request_uri; }"
# To the path that the hub is below: who knows the domain alone would be told that there is nothing.
ABOVE = "location = / { return 302 https://$public{{ https }}{{ base_url }}; }"
# Where a reverse proxy in front asks by plain HTTP: that one only, and for nobody who came by plain HTTP to it.
ONLY_FRONT = """default_type text/plain;
if ($is_front = 0) { return 403 "Only a reverse proxy is answered here: come by https://{{ domain }}{{ https }}.\\n"; }
if ($http_x_forwarded_proto = http) { return 301 https://$public{{ https }}$request_uri; }
"""
# How that one tells of the clients whom it asks for, by how it asks.
TELLS = {"http": "X-Forwarded-For", "https": "X-Forwarded-For", "proxy-protocol": "proxy_protocol"}
# JupyterHub's proxy closes a connection that is silent for a little longer than nginx keeps one.
KEEP_ALIVE_SECONDS, LATER_SECONDS = 60, 10
# Of all headers of a request: more than nginx takes, and what the hub and the servers take.
HEADERS_BYTES = 64 * 1024
MOST_FILES = 2**16
HSTS = 'add_header Strict-Transport-Security "max-age=31536000" always;'
# One of Debian's own: what leads people to their notebooks needs neither root nor the certificate's key.
AS: Mapping[str, Any] = {"user": "proxy", "group": "proxy", "extra_groups": []}
# The last: the way to the hub, which hub/config/separate_proxy.py knows too.
PORT, API_PORT, HUB_PORT = 8000, 8001, 8002
LOOK_SECONDS = 2
# What JupyterHub's pages need, whose scripts are in part within them.
POLICY = ("script-src 'self' 'unsafe-inline'", "connect-src 'self'", "object-src 'none'", "base-uri 'none'")


def address_in(subnet: str) -> str:
    """Return this container's address on a network, whichever of its interfaces that is.

    Raises:
        OSError: it is not on that network.

    """
    network = ipaddress.ip_network(subnet)
    with socket.socket(socket.AF_INET6 if network.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((str(network[1]), API_PORT))  # no packet is sent
        address = str(probe.getsockname()[0])
    if ipaddress.ip_address(address) not in network:
        raise OSError(f"this container has no address in {subnet}")
    return address


def config(environ: Mapping[str, str], *, tls: bool) -> str:
    """Return nginx's configuration; without `tls` it serves port 80 alone."""
    text, public, speaks = TEMPLATE.read_text(), urlsplit(environ["PUBLIC_URL"]), environ["SPEAKS"]
    is_plain = speaks == "http"
    values = {
        "tls": TLS.read_text() if tls and not is_plain else "",
        "hub": HUB.read_text(),
        "plain": f"{{{{ headers }}}} {ONLY_FRONT}{{{{ way }}}}" if is_plain else REDIRECT,
        "way": WAY.read_text(),
        "above": ABOVE if environ["BASE_URL"] != "/" else "",
        "front": front(environ["BEHIND"].split(), TELLS[speaks]),
        "proxy_protocol": " proxy_protocol" if speaks == "proxy-protocol" else "",
        "base_url": environ["BASE_URL"],
        "files": str(_files()),
        "keep_alive": str(KEEP_ALIVE_SECONDS),
        "certificate": environ["SSL_CERT"],
        "key": environ["SSL_KEY"],
        "challenges": environ["ACME_FOLDER"],
        "domain": str(public.hostname),
        "subdomains": f"*.{public.hostname} $host;" if environ["SUBDOMAINS"] == "1" else "",
        "https": f":{public.port}" if public.port else "",
        "headers": HSTS if environ["HSTS"] == "1" else "",
        "port": str(PORT),
        "hub_port": str(HUB_PORT),
        "hub_url": environ["HUB_URL"],
        "clients": unknown(environ["CLIENTS"] == "1"),
        "policy": "; ".join([*POLICY, f"form-action 'self' {environ['FORMS']}".rstrip()]),
    }
    for name, value in values.items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    return text


def front(behind: Sequence[str], header: str, routes: str = "") -> str:
    """Return what of nginx's configuration says whom a reverse proxy in front asks for; nobody else is believed.

    Docker's gateway is never that one, whatever network it is in: anybody comes from there by IPv6. A client whom the one in
    front does not tell is nobody: that one's own address stands for all.
    """
    networks = [ipaddress.IPv4Network(one) for one in behind]
    for gateway in map(ipaddress.IPv4Network, _gateways(routes)):
        networks = [part for one in networks for part in _without(one, gateway)]
    trusted = " ".join(f"{one} 1;" for one in networks)
    lines = [f"set_real_ip_from {one};" for one in networks]
    lines += [f"real_ip_header {header};", "real_ip_recursive on;"] if networks else []
    lines += [
        f"geo $realip_remote_addr $is_front {{ default 0; 127.0.0.1 1; {trusted} }}",
        f"geo $is_nobody {{ default 0; {trusted} }}",
        "map $is_nobody $client_address { 1 -; default $remote_addr; }",
    ]
    return "\n    ".join(lines)


def _without(network: ipaddress.IPv4Network, other: ipaddress.IPv4Network) -> list[ipaddress.IPv4Network]:
    return list(network.address_exclude(other)) if other.subnet_of(network) else [network]


def _gateways(routes: str = "") -> list[ipaddress.IPv4Address]:
    """Return the addresses of the gateways of this container, by its table of routes."""
    lines = [line.split() for line in (routes or ROUTES.read_text()).splitlines()[1:]]
    return [ipaddress.IPv4Address(bytes.fromhex(line[2])[::-1]) for line in lines if line[1] == "00000000"]


def _files() -> int:
    """Return how many files a program here may have open; where that has no end, as many as nginx has use for."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return most if most > 0 else MOST_FILES


def unknown(are_told: bool, routes: str = "") -> str:
    """Return the entries of nginx's map for addresses that are not a client's own: each is nobody's.

    Docker's gateway stands for whoever comes by its userland proxy, as by IPv6 where it has no rules for that; with a port
    of the routing mesh (`are_told` is false) that goes for all.
    """
    if not are_told:
        return '"~." "";'
    return " ".join(f'"{one}" "";' for one in _gateways(routes))


def routes(environ: Mapping[str, str], address: str) -> list[str]:
    """Return the command line of JupyterHub's proxy; it reads its token from its standard input."""
    options = {
        "ip": "127.0.0.1",
        "port": PORT,
        "api-ip": address,
        "api-port": API_PORT,
        # The way to the hub from the first moment on; the ways to people's servers it is told by the hub.
        "default-target": f"http://127.0.0.1:{HUB_PORT}",
        "error-target": f"http://127.0.0.1:{HUB_PORT}{environ['BASE_URL']}hub/error",
        "keep-alive-timeout": 1000 * (KEEP_ALIVE_SECONDS + LATER_SECONDS),
    }
    # nginx has said where a request comes from, and logs it. The hub asks for the routes every second.
    flags = ["--no-x-forward", "--log-level=warn"]
    flags += ["--host-routing"] if environ["SUBDOMAINS"] == "1" else []
    program = [
        "node",
        f"--require={READER}",
        f"--max-http-header-size={HEADERS_BYTES}",
        shutil.which("configurable-http-proxy") or "configurable-http-proxy",
    ]
    return [*program, *(f"--{name}={value}" for name, value in options.items()), *flags]


def fingerprint(environ: Mapping[str, str]) -> str | None:
    """Return what changes with the certificate's files, None without them; certbot replaces them by links."""
    try:
        return hashlib.sha256(b"".join(Path(environ[name]).read_bytes() for name in ("SSL_CERT", "SSL_KEY"))).hexdigest()
    except OSError:
        return None


async def main(environ: Mapping[str, str] = os.environ) -> int:
    """Return the exit code when one of the two has ended, or both were told to."""
    certificate = fingerprint(environ)
    CONFIG.write_text(config(environ, tls=certificate is not None))
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    most = _files()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    nginx = await asyncio.create_subprocess_exec("nginx", "-c", str(CONFIG), "-g", "daemon off;")
    with TOKEN.open() as token:
        proxy = await asyncio.create_subprocess_exec(
            *routes(environ, address_in(environ["PROXY_SUBNET"])), stdin=token, env=environ, **AS
        )
    ends = [asyncio.ensure_future(one.wait()) for one in (nginx, proxy)]
    watch = asyncio.ensure_future(_reload_on_change(nginx, environ, certificate))
    await asyncio.wait([*ends, asyncio.ensure_future(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    return await _end(nginx, proxy, was_told=stopped.is_set())


async def _reload_on_change(nginx: Any, environ: Mapping[str, str], last: str | None) -> None:
    """Tell nginx when the certificate is another one; connections that there are go on with the old one."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = fingerprint(environ)
        if now and now != last:  # None: certbot is just replacing it, or somebody has taken it away
            print("there is a new certificate", file=sys.stderr, flush=True)
            CONFIG.write_text(config(environ, tls=True))
            nginx.send_signal(signal.SIGHUP)
            last = now


async def _end(*processes: Any, was_told: bool) -> int:
    for one in processes:
        if one.returncode is None:
            one.terminate()
    codes = [await one.wait() for one in processes]
    return 0 if was_told else next((code for code in codes if code > 0), 1)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
