"""What is done to the tool: it is killed, interrupted, cut off, and started twice."""

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab import topology
from swarmhub.engine.containers import SERVICE_LABEL
from tests.lab.support import Done, Lab, Settings
from tests.report import Row
from tests.scorecard import cut
from tests.scorecard.counts import times
from tests.scorecard.moments import differences, moments, state, wipe

MANAGER = topology.MANAGER.name
pytestmark = pytest.mark.timeout(3600)
# An update with something in most steps: labels for an image less, other rules, another page.
CHANGED = (
    ('[[profiles]]\nname = "Extra tools"\nimage = "registry.lab:5000/notebook-extra:lab"\n\n', ""),
    ("[github]", '[page]\nname = "Scorecard"\n\n[firewall]\ndeny = ["192.0.2.0/24"]\n\n[github]'),
)


@pytest.fixture
def changed(settings: Settings) -> Path:
    """Return a hosts.toml with an update."""
    return settings(*CHANGED)


def test_killed_in_a_first_deploy(used: Lab, seen: Row) -> None:
    """1. The tool is killed (SIGKILL) at each step of a first deploy, then run again."""
    wipe(used)
    whole = used.fab("deploy", "--yes")
    assert whole.code == 0, whole.text
    wanted, found = state(used), moments(whole.out, times(24))
    for moment in found:
        wipe(used)
        _ended(used, moment, signal.SIGKILL, topology.HOSTS)
        _converges(used, topology.HOSTS, wanted, moment)
    seen(f"killed at {len(found)} moments; each time the next deploy came to the same {_size(wanted)}")


def test_killed_in_an_update(deployed: Lab, changed: Path, seen: Row) -> None:
    """1. The same in an update with live servers."""
    server = deployed.start_server("ada")
    task = deployed.docker("service", "ps", server, "-q")
    whole = deployed.fab("deploy", "--yes", hosts=changed)
    assert whole.code == 0, whole.text
    wanted, found = state(deployed), moments(whole.out, times(24))
    for moment in found:
        assert deployed.fab("deploy", "--yes").code == 0
        _ended(deployed, moment, signal.SIGKILL, changed)
        _converges(deployed, changed, wanted, moment)
    assert deployed.docker("service", "ps", server, "-q") == task
    deployed.stop_server("ada")
    seen(f"killed at {len(found)} moments; each time the next deploy came to the same {_size(wanted)}; a server went on")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_interrupted(deployed: Lab, changed: Path, seen: Row, number: signal.Signals) -> None:
    """2. SIGINT and SIGTERM at each step of an update."""
    whole = deployed.fab("deploy", "--yes", hosts=changed)
    assert whole.code == 0, whole.text
    found, codes = moments(whole.out, times(12)), []
    for moment in found:
        assert deployed.fab("deploy", "--yes").code == 0
        before = _leftovers(deployed)
        done = _ended(deployed, moment, number, changed)
        codes.append(done.code)
        assert (done.code in (0, 130), "Traceback" in done.text) == (True, False), (
            f"at {moment}: {done.code}: {done.text[-500:]}"
        )
        assert done.code == 0 or "interrupted" in done.err, done.text
        assert "nobody holds the lock" in deployed.fab("unlock").out, moment
        assert _leftovers(deployed) == before, moment
    again = deployed.fab("deploy", "--yes", hosts=changed)
    assert again.code == 0, again.text
    ended = f"{codes.count(130)} ended with 130, {codes.count(0)} had ended"
    seen(f"{number.name} at {len(found)} moments: {ended}; no lock, no container left")


def test_cut_off(deployed: Lab, changed: Path, settings: Settings, tmp_path: Path, seen: Row) -> None:
    """3. All SSH connections are cut at each step of an update, by a proxy before the nodes' ports."""
    whole = deployed.fab("deploy", "--yes", hosts=changed)
    assert whole.code == 0, whole.text
    found, seconds = moments(whole.out, times(12)), []
    with cut.proxied([node.ssh_port for node in topology.NODES], tmp_path) as proxy:
        hosts = settings(*CHANGED, ssh=proxy.config)
        for moment in found:
            assert deployed.fab("deploy", "--yes").code == 0
            run = deployed.started("deploy", "--yes", until=moment, hosts=hosts)
            began = time.monotonic()
            proxy.cut()
            done = run.end(120)
            seconds.append(time.monotonic() - began)
            proxy.join()
            assert "Traceback" not in done.text
            if done.code:
                assert re.search(r"^[\w-]+: [\w-]+: .*", done.err, re.MULTILINE), done.text
            deployed.fab("unlock", "--yes")
            again = deployed.fab("deploy", "--yes", hosts=hosts)
            assert again.code == 0, again.text
    seen(f"cut at {len(found)} moments; a line with host and step, at most {max(seconds):.0f} s after")
    seen("each time the next deploy ended well")


def test_two_at_once(deployed: Lab, changed: Path, seen: Row) -> None:
    """4. Two deploys are started together."""
    names, count = [changed, Path(topology.HOSTS)], times(20)
    for number in range(count):
        with ThreadPoolExecutor() as pool:
            both = list(pool.map(lambda hosts: deployed.fab("deploy", "--yes", hosts=hosts), [names[number % 2]] * 2))
        refused = [one for one in both if one.code]
        # The second one may have found all done.
        assert all((one.code, "the cluster is locked by" in one.err) == (1, True) for one in refused), refused
        assert len(refused) < 2
    seen(f"{count} times: one worked, the other changed nothing and named the holder, or found all done")


def _ended(lab: Lab, moment: str, number: signal.Signals, hosts: Path | str) -> Done:
    return lab.started("deploy", "--yes", until=moment, hosts=hosts).end(120, number)


def _converges(lab: Lab, hosts: Path | str, wanted: dict[str, Any], moment: str) -> None:
    lab.fab("unlock", "--yes")
    again = lab.fab("deploy", "--yes", hosts=hosts)
    assert again.code == 0, f"after {moment}: {again.text}"
    assert [*differences(state(lab), wanted)] == [], moment


def _leftovers(lab: Lab) -> dict[str, str]:
    """Return containers that belong to no service, on each node."""
    listed = f"docker ps --all --format '{{{{.Names}}}} {{{{.Label \"{SERVICE_LABEL}\"}}}}' | awk 'NF == 1'"
    return {node.name: lab.on(node.name, "sh", "-c", listed) for node in topology.NODES}


def _size(wanted: dict[str, Any]) -> str:
    objects = sum(len(lines) for lines in wanted["names"].values())
    return f"{objects} objects and {len(wanted['services'])} services"
