"""Run nginx and JupyterHub's proxy until one of them ends; give nginx a new certificate when there is one.

nginx holds the connections and takes a new certificate without dropping one.
The other knows which path is whose; its API listens on the network that only
the hub shares with it.
"""

import asyncio
import hashlib
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("nginx.conf")
CONFIG = Path("/run/nginx.conf")
TOKEN = Path("/run/secrets/PROXY_TOKEN")
HSTS = 'add_header Strict-Transport-Security "max-age=31536000" always;'
PORT, API_PORT = 8000, 8001
LOOK_SECONDS = 2


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


def config(environ: Mapping[str, str]) -> str:
    """Return nginx's configuration."""
    text = TEMPLATE.read_text()
    values = {
        "certificate": environ["SSL_CERT"],
        "key": environ["SSL_KEY"],
        "challenges": environ["ACME_FOLDER"],
        "public": environ["PUBLIC_URL"],
        "headers": HSTS if environ["HSTS"] == "1" else "",
        "port": str(PORT),
    }
    for name, value in values.items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    return text


def routes(environ: Mapping[str, str], address: str) -> list[str]:
    """Return the command line of JupyterHub's proxy; its token is in the environment."""
    options = {
        "ip": "127.0.0.1",
        "port": PORT,
        "api-ip": address,
        "api-port": API_PORT,
        "error-target": f"{environ['HUB_URL']}/hub/error",
    }
    # nginx has said where a request comes from.
    return ["configurable-http-proxy", *(f"--{name}={value}" for name, value in options.items()), "--no-x-forward"]


def fingerprint(*files: str) -> str:
    """Return what changes with the files' content; certbot replaces them by links."""
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()


async def main(environ: Mapping[str, str] = os.environ) -> int:
    """Return the exit code when one of the two has ended, or both were told to."""
    CONFIG.write_text(config(environ))
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    token = {"CONFIGPROXY_AUTH_TOKEN": TOKEN.read_text()}
    nginx = await asyncio.create_subprocess_exec("nginx", "-c", str(CONFIG), "-g", "daemon off;")
    proxy = await asyncio.create_subprocess_exec(
        *routes(environ, address_in(environ["PROXY_SUBNET"])), env={**environ, **token}
    )
    ends = [asyncio.ensure_future(one.wait()) for one in (nginx, proxy)]
    watch = asyncio.ensure_future(_reload_on_change(nginx, environ["SSL_CERT"], environ["SSL_KEY"]))
    await asyncio.wait([*ends, asyncio.ensure_future(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    return await _end(nginx, proxy, was_told=stopped.is_set())


async def _reload_on_change(nginx: Any, *files: str) -> None:
    """Tell nginx when a file has changed; connections that there are go on with the old certificate."""
    last = fingerprint(*files)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            now = fingerprint(*files)
        except OSError:  # certbot is just replacing them
            continue
        if now != last:
            print("there is a new certificate", file=sys.stderr, flush=True)
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
