"""Run nginx and JupyterHub's proxy until one of them ends; give nginx a new certificate when there is one.

nginx holds the connections and takes a new certificate without dropping one.
Without any it serves port 80 alone, where the certificate authority asks.
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
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TEMPLATE, TLS, HUB = (Path(__file__).with_name(name) for name in ("nginx.conf", "tls.conf", "hub.conf"))
# JupyterHub's proxy takes its token from its environment only, which others may read: this puts it there from within.
READER = Path(__file__).with_name("reader.cjs")
ROUTES = Path("/proc/net/route")
CONFIG = Path("/run/nginx.conf")
TOKEN = Path("/run/secrets/PROXY_TOKEN")
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
    text = TEMPLATE.read_text().replace("{{ tls }}", TLS.read_text() if tls else "").replace("{{ hub }}", HUB.read_text())
    public = urlsplit(environ["PUBLIC_URL"])
    values = {
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


def unknown(are_told: bool, routes: str = "") -> str:
    """Return the entries of nginx's map for addresses that are not a client's own: each is nobody's.

    Docker's gateway stands for whoever comes by its userland proxy, as by IPv6 where it has no rules for that; with a port
    of the routing mesh (`are_told` is false) that goes for all.
    """
    if not are_told:
        return '"~." "";'
    lines = [line.split() for line in (routes or ROUTES.read_text()).splitlines()[1:]]
    gateways = [ipaddress.IPv4Address(bytes.fromhex(line[2])[::-1]) for line in lines if line[1] == "00000000"]
    return " ".join(f'"{one}" "";' for one in gateways)


def routes(environ: Mapping[str, str], address: str) -> list[str]:
    """Return the command line of JupyterHub's proxy; it reads its token from its standard input."""
    options = {
        "ip": "127.0.0.1",
        "port": PORT,
        "api-ip": address,
        "api-port": API_PORT,
        # The way to the hub from the first moment on; the ways to people's servers it is told by the hub.
        "default-target": f"http://127.0.0.1:{HUB_PORT}",
        "error-target": f"http://127.0.0.1:{HUB_PORT}/hub/error",
    }
    # nginx has said where a request comes from, and logs it. The hub asks for the routes every second.
    flags = ["--no-x-forward", "--log-level=warn"]
    flags += ["--host-routing"] if environ["SUBDOMAINS"] == "1" else []
    program = ["node", f"--require={READER}", shutil.which("configurable-http-proxy") or "configurable-http-proxy"]
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
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
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
