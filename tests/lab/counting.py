"""A kernel that counts while something is done to the hub, over one websocket: whether it has lost one is seen."""

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from unittest.mock import patch

from pydantic import SecretStr

from lab import topology
from swarmhub.errors import StepError
from swarmhub.people.api import HubApi
from swarmhub.smoke import kernel
from tests.lab.support import REAL, Lab

# For so long at most: a smoke test's kernel has a minute to answer in.
LASTS_SECONDS = 3600
# Until it is told that this is enough; how far it is can be read on the way. It would not go on for ever.
COUNT = f"""
import os, time
file = open("/tmp/numbers", "w")
for number in range({LASTS_SECONDS * 5}):
    print(number, flush=True)
    print(number, file=file, flush=True)
    if os.path.exists("/tmp/enough"):
        break
    time.sleep(0.2)
"""


def unverified(most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
    """Return a context that takes any certificate: that TLS verifies is test_deploy's matter."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, most
    return context


@contextmanager
def server_of_ada(used: Lab) -> Iterator[HubApi]:
    """Start Ada's server, and ask it as she would."""
    used.start_server("ada", profile=REAL)
    try:
        token = json.loads(used.hub_api("POST", "users/ada/tokens", "{}"))["token"]
        hub = HubApi(topology.HUB_URL, unverified(), SecretStr(token))
        # A proxy that has just started is told its routes when the hub next looks.
        used.wait(lambda: _is_reached(hub), 60, "the proxy does not know the way to the hub")
        yield hub.server("ada")
    finally:
        used.stop_server("ada")
    used.forget_homes()


@contextmanager
def counting(lab: Lab, server: HubApi) -> Iterator[None]:
    """Let a kernel count over one websocket, and see to it that it has gone on for a while after what was done meanwhile."""
    lab.in_server("ada", "rm -f /tmp/enough /tmp/numbers")
    with patch.object(kernel, "SECONDS", LASTS_SECONDS), ThreadPoolExecutor() as pool:
        counted = pool.submit(kernel.run, server, COUNT)
        try:
            lab.wait(lambda: _number(lab) or counted.done(), 30, "the kernel does not count")
            yield
            last = _number(lab)
            lab.wait(lambda: _number(lab) > last + 5 or counted.done(), 30, "the kernel does not go on")
        finally:
            lab.in_server("ada", "touch /tmp/enough")
    numbers = counted.result().split()
    assert (numbers, len(numbers) > last + 5) == ([str(number) for number in range(len(numbers))], True)


def _number(lab: Lab) -> int:
    return int(lab.in_server("ada", "tail -n 1 /tmp/numbers 2>/dev/null || true") or 0)


def _is_reached(hub: HubApi) -> bool:
    with suppress(StepError):
        return bool(hub.get("")["version"])
    return False
