"""What is done to the certificate authority, and to its way here, while the cluster renews a certificate by itself."""

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab import topology
from tests.lab.support import HUB, PROXY, Lab
from tests.lab.test_certs import certificate
from tests.lab.test_doctor import led_elsewhere, undone
from tests.lab.test_proxy import answers, failed_renewals, served, short_lived
from tests.report import Row
from tests.scorecard import authority
from tests.scorecard.counts import times

__all__ = ["short_lived"]
pytestmark = pytest.mark.timeout(3600)
MANAGER = topology.MANAGER.name
SERVICES = {one.name: one for one in topology.SERVICES}
ACME, PLACE = SERVICES["acme-short"], SERVICES["campus"]
MODE, PROGRAM = "/tmp/authority.mode", "/tmp/authority.py"
SECONDS = 4 * topology.SHORT_SECONDS
BEGIN = f"""
cat > {PROGRAM} <<'EOF'
{Path(authority.__file__).read_text()}
EOF
printf '%s' "$0" > /tmp/authority.crt; printf '%s' "$1" > /tmp/authority.key; echo pass > {MODE}
setsid python3 {PROGRAM} /tmp/authority.crt /tmp/authority.key {ACME.address} {MODE} > /tmp/authority.log 2>&1 &
echo $! > /tmp/authority.pid
"""


@pytest.fixture(scope="module", autouse=True)
def _no_longer_short(used: Lab, short_lived: Path) -> Iterator[None]:
    """In the end, let the lab have a certificate again that holds."""
    yield
    used.forget_certificate()
    used.let_stand()


@contextmanager
def _in_front(lab: Lab) -> Iterator[None]:
    """Let the ACME server's name lead to another server, which passes requests on to it."""
    pair = [(topology.STATE / f"{ACME.name}.{kind}").read_text() for kind in ("crt", "key")]
    to, back = (f"s/^{one} {ACME.hostname}$/{other} {ACME.hostname}/" for one, other in _ways())
    told = (f"sed -i '{one}' /srv/lab/hosts; kill -HUP $(pidof dnsmasq)" for one in (to, back))
    lab.on(PLACE.name, "sh", "-c", BEGIN, *pair)
    try:
        with undone(lab, "dns", *told):
            yield
    finally:
        lab.on(PLACE.name, "sh", "-c", "kill $(cat /tmp/authority.pid)")


def _ways() -> tuple[tuple[str, str], tuple[str, str]]:
    return (ACME.address, PLACE.address), (PLACE.address, ACME.address)


def _mode(lab: Lab, mode: str) -> AbstractContextManager[None]:
    """Let the server in front do something else than to pass on."""
    return undone(lab, PLACE.name, f"echo {mode} > {MODE}", f"echo pass > {MODE}")


@contextmanager
def _port_taken(lab: Lab) -> Iterator[None]:
    """Let something else have port 80 in place of the proxy."""
    lab.docker("service", "scale", "--detach", f"{PROXY}=0")
    try:
        lab.wait(lambda: not lab.container(PROXY), 60, "the proxy does not end")
        image = lab.docker("service", "inspect", HUB, "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
        run = ("--detach", "--rm", "--name", "taker", "--user", "0", "--publish", "80:80")
        lab.docker("run", *run, "--entrypoint", "python3", image, "-m", "http.server", "80")
        yield
    finally:
        lab.on(MANAGER, "sh", "-c", "docker rm --force taker")
        lab.docker("service", "scale", "--detach", f"{PROXY}=1")
        lab.wait(answers, 90, "the proxy does not come back")


FAULTS = {
    "the domain leads elsewhere": (led_elsewhere, r"refused|timeout|timed out|unauthorized|Fetching"),
    "something else has port 80": (_port_taken, r"404|unauthorized|Invalid response|refused"),
    "a rate limit": (partial(_mode, mode="limit"), r"too many certificates|rateLimited"),
    "the authority is away": (
        partial(_mode, mode="silent"),
        r"ConnectionError|Connection aborted|Remote end closed|Max retries",
    ),
}


def test_faults_of_the_authority(used: Lab, short_lived: Path, seen: Row) -> None:
    """14. A renewal meets a domain that leads elsewhere, a port that is taken, a rate limit, an authority that is away."""
    rounds = max(1, times(10) // len(FAULTS))
    with _in_front(used):
        for kind in [*FAULTS] * rounds:
            fault, cause = FAULTS[kind]
            with fault(used):  # type: ignore[operator]
                used.wait(lambda: failed_renewals(used, short_lived), SECONDS, f"{kind}: status does not tell")
                before = certificate(used).serial_number
                told = _told(used, short_lived)
                assert re.search(cause, told), f"{kind}: {told}"
                assert re.search(r"the next try is at \d{4}-\d\d-\d\d \d\d:\d\d UTC", told), f"{kind}: {told}"
                assert certificate(used).serial_number == before, kind
            used.wait(lambda: not failed_renewals(used, short_lived), SECONDS, f"{kind}: it is not tried again")
            used.wait(lambda before=before: served() != before, SECONDS, f"{kind}: no new certificate is served")  # type: ignore[misc]
    seen(f"{len(FAULTS) * rounds} times, {len(FAULTS)} kinds: the doctor names the cause and the time of the next try")
    seen("the old certificate stays; afterwards it is renewed by itself")


def _told(lab: Lab, hosts: Path) -> str:
    findings: list[dict[str, Any]] = json.loads(lab.fab("doctor", "--json", hosts=hosts).out)["findings"]
    return "\n".join(one["text"] for one in findings if one["check"] == "certificate" and one["level"] == "failure")


def test_bad_nonces(used: Lab, short_lived: Path, seen: Row) -> None:
    """14. The authority refuses half of all nonces."""
    renewed, count = 0, times(10)
    with _in_front(used), _mode(used, "nonces"):
        for _ in range(count):
            before = served()
            used.wait(lambda before=before: served() != before, SECONDS, "it is not renewed")  # type: ignore[misc]
            renewed += 1
    used.wait(lambda: not failed_renewals(used, short_lived), SECONDS, "it is not renewed")
    seen(f"{renewed} renewals in a row come, at most {SECONDS} s after the one before, of certificates that hold for 30 s")
