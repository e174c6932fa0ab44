"""The script that keeps the rules, on a firewall of files."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from swarmhub.firewall.image import SCRIPT

CHAIN = "SWARMHUB-hub"
JUMPS = [f"-i {bridge} -j {CHAIN}" for bridge in ("docker_gwbridge", "docker0")]
RULES = {"CHAIN": CHAIN, "IPV4": f"-A {CHAIN} -d 10.0.0.1/32 -j REJECT", "IPV6": f"-A {CHAIN} -d fd00::1/128 -j REJECT"}
# A chain is a file of what stands in it, a line each.
IPTABLES = r"""#!/bin/sh
cd "$(dirname "$0")/${0##*/}.chains" 2>/dev/null || { echo "${0##*/}: no such table" >&2; exit 3; }
shift 2  # -w 5
act=$1 chain=$2
[ "$act" != -S ] || { sed "s/^-i/-A ${chain:-INPUT} -i/" "${chain:-INPUT}" 2>/dev/null; exit; }
shift 2
case $act in
  -C) grep -qxF -e "$*" "$chain" 2>/dev/null;;
  -I) echo "$*" >>"$chain";;
  -D) grep -qxF -e "$*" "$chain" 2>/dev/null && { grep -vxF -e "$*" "$chain" >new; mv new "$chain"; };;
  -F) [ -e "$chain" ] && : >"$chain";;
  -X) rm "$chain";;
esac
"""
RESTORE = r"""#!/bin/sh
name=${0##*/}
cd "$(dirname "$0")/${name%-restore}.chains"
chain=$(sed -n 's/^:\([^ ]*\) .*/\1/p;/^-A/w rules')
[ -n "$chain" ] && mv rules "$chain"
"""
# The engine's containers are files: a service, a namespace and addresses. What it tells of them later comes by a pipe.
DOCKER = r"""#!/bin/sh
cd "$(dirname "$0")/containers" || exit 1
shift 2  # -H SOCKET
case $1 in
  ps) ls;;
  network) [ "$2" = ls ] && cat ../bridges 2>/dev/null || sed s/^/br-/ ../bridges;;
  inspect) shift 3; cat "$1";;
  events) exec cat ../events;;
esac
"""
# A namespace is a folder of the same commands.
NSENTER = r"""#!/bin/sh
folder=$(dirname "$0")/namespaces/${1##*/}
shift
command=$1
shift
exec "$folder/$command" "$@"
"""
APART = {
    "NETWORK": "jupyter",
    "HUB": "hub",
    "OURS": "hub hub-proxy",
    "ISOLATED4": f"-A {CHAIN} -j REJECT\n-A OUTPUT -d PEERS -j {CHAIN}",
    "ISOLATED6": f"-A {CHAIN} -j REJECT",
}
OUTPUT = f"-A OUTPUT -d 10.0.1.{{}}/24 -j {CHAIN}"
Call = Callable[..., int]


@pytest.fixture
def firewall(tmp_path: Path) -> Path:
    """Return the folder of a host's iptables: an engine uses DOCKER-USER in IPv4, and IPv6 is there."""
    for family in ("iptables", "ip6tables"):
        chains = tmp_path / f"{family}.chains"
        chains.mkdir()
        for chain, lines in {
            "INPUT": "",
            "FORWARD": "-j DOCKER-USER\n" if family == "iptables" else "",
            "DOCKER-USER": "",
        }.items():
            (chains / chain).write_text(lines)
        for name, text in ((family, IPTABLES), (f"{family}-restore", RESTORE)):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def call(firewall: Path) -> Call:
    """Return what runs the script and returns its exit code."""

    def run(action: str) -> int:
        return subprocess.run(["sh", str(SCRIPT), action], cwd=firewall, env=environment(firewall), check=False).returncode

    return run


@pytest.fixture
def keeper(firewall: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the script; it keeps the rules until the test is over."""
    command = ["sh", str(SCRIPT), "keep"]
    with (firewall / "said").open("w") as said:
        started = subprocess.Popen(command, cwd=firewall, env=environment(firewall), stderr=said, start_new_session=True)
    yield started
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


@pytest.fixture
def servers(firewall: Path) -> Iterator[Path]:
    """Let the host have an engine with a hub, its proxy and a server of three, and keep them apart."""
    for name, text in (("docker", DOCKER), ("nsenter", NSENTER)):
        (firewall / name).write_text(text)
        (firewall / name).chmod(0o755)
    (firewall / "containers").mkdir()
    os.mkfifo(firewall / "events")
    for number, service in enumerate(("hub", "hub-proxy", "hub-ada", "other"), 1):
        container(firewall, number, service)
    (firewall / "apart").write_text("")
    # Both ends: the script's `cat` never sees the end of it.
    with (firewall / "events").open("r+b", buffering=0):
        yield firewall


def container(firewall: Path, number: int, service: str) -> None:
    """Let the engine have a container with a network namespace of its own."""
    chains = firewall / "namespaces" / f"ns{number}" / "iptables.chains"
    chains.mkdir(parents=True)
    for name, text in (("iptables", IPTABLES), ("iptables-restore", RESTORE)):
        (chains.parent / name).write_text(text)
        (chains.parent / name).chmod(0o755)
    (firewall / "containers" / f"c{number}").write_text(f"{service} /var/run/docker/netns/ns{number} 10.0.1.{number}/24")


def told(firewall: Path, *events: str) -> None:
    """Let the engine tell of its containers."""
    with (firewall / "events").open("ab", buffering=0) as pipe:
        pipe.write("".join(f"{event}\n" for event in events).encode())


def within(firewall: Path, number: int) -> list[str]:
    """Return what stands in a container's namespace."""
    file = firewall / "namespaces" / f"ns{number}" / "iptables.chains" / CHAIN
    return file.read_text().splitlines() if file.exists() else []


def environment(firewall: Path) -> dict[str, str]:
    """Return the variables of its container, with the host's programs before this machine's."""
    apart = APART if (firewall / "apart").exists() else {}
    return {**RULES, **apart, "PATH": f"{firewall}:{os.environ['PATH']}"}


def stand(call: Call, keeper: "subprocess.Popen[bytes]") -> bool:
    """Wait until the rules stand, or the keeper has given up."""
    while keeper.poll() is None:
        if call("check") == 0:
            return True
    return False


def chains(firewall: Path, family: str) -> dict[str, list[str]]:
    """Return what stands in each chain that has something."""
    files = sorted((firewall / f"{family}.chains").iterdir())
    return {file.name: lines for file in files if (lines := file.read_text().splitlines())}


def test_rules_are_raised_for_what_is_forwarded_and_for_the_host_itself(
    firewall: Path, call: Call, keeper: "subprocess.Popen[bytes]"
) -> None:
    """By Docker's own place for such rules where its engine uses it, else by FORWARD."""
    assert stand(call, keeper)
    assert chains(firewall, "iptables") == {
        CHAIN: [RULES["IPV4"]],
        "DOCKER-USER": JUMPS,
        "FORWARD": ["-j DOCKER-USER"],
        "INPUT": JUMPS,
    }
    assert chains(firewall, "ip6tables") == {CHAIN: [RULES["IPV6"]], "FORWARD": JUMPS, "INPUT": JUMPS}


def test_a_second_run_leaves_no_rule_twice(firewall: Path, call: Call, keeper: "subprocess.Popen[bytes]") -> None:
    """As after a container that was killed; the rules of others stay."""
    (firewall / "iptables.chains" / "INPUT").write_text(f"-s 10.9.9.9/32 -j DROP\n{JUMPS[0]}\n")
    (firewall / "iptables.chains" / CHAIN).write_text("-A old\n")
    assert stand(call, keeper)
    found = chains(firewall, "iptables")
    assert (found["INPUT"], found[CHAIN]) == (["-s 10.9.9.9/32 -j DROP", *JUMPS], [RULES["IPV4"]])


@pytest.mark.parametrize("chain", [CHAIN, "INPUT", "DOCKER-USER"])
def test_what_is_missing_is_seen(firewall: Path, call: Call, keeper: "subprocess.Popen[bytes]", chain: str) -> None:
    """A flushed chain, and a jump that somebody took."""
    assert stand(call, keeper)
    (firewall / "iptables.chains" / chain).write_text("")
    assert call("check") == 1


def test_at_its_end_it_takes_its_rules_away(firewall: Path, call: Call, keeper: "subprocess.Popen[bytes]") -> None:
    """And no others."""
    (firewall / "iptables.chains" / "INPUT").write_text("-s 10.9.9.9/32 -j DROP\n")
    assert stand(call, keeper)
    keeper.terminate()
    assert keeper.wait(10) == 0
    assert chains(firewall, "iptables") == {"FORWARD": ["-j DOCKER-USER"], "INPUT": ["-s 10.9.9.9/32 -j DROP"]}
    assert chains(firewall, "ip6tables") == {}
    assert not (firewall / "iptables.chains" / CHAIN).exists()


def test_a_host_whose_ipv6_cannot_be_closed_has_its_ipv4_closed(
    firewall: Path, call: Call, keeper: "subprocess.Popen[bytes]"
) -> None:
    """Its kernel has no such tables, or its engine gives containers no IPv6."""
    (firewall / "ip6tables.chains").rename(firewall / "gone")
    assert stand(call, keeper)
    assert chains(firewall, "iptables")[CHAIN] == [RULES["IPV4"]]


def test_a_firewall_that_refuses_ends_it_with_its_own_words(firewall: Path, keeper: "subprocess.Popen[bytes]") -> None:
    """Swarm then says that the task has failed, and the log says why."""
    (firewall / "iptables-restore").write_text("#!/bin/sh\necho 'iptables-restore: Permission denied' >&2\nexit 4\n")
    code = keeper.wait(10)
    assert (code, (firewall / "said").read_text()) == (1, "iptables-restore: Permission denied\n")


def test_servers_that_are_there_are_kept_apart(servers: Path, call: Call, keeper: "subprocess.Popen[bytes]") -> None:
    """Hub, proxy and what is no server on the network are left alone."""
    assert stand(call, keeper)
    assert [within(servers, number) for number in (1, 2, 4)] == [[], [], []]
    assert within(servers, 3) == [f"-A {CHAIN} -j REJECT", OUTPUT.format(3)]


def test_a_server_that_starts_is_enclosed(servers: Path, call: Call, keeper: "subprocess.Popen[bytes]") -> None:
    """When the engine tells of it; until then, the firewall are not as they should be."""
    assert stand(call, keeper)
    container(servers, 5, "hub-grace")
    assert call("check") == 1
    told(servers, "start c5")
    assert stand(call, keeper)
    assert within(servers, 5) == [f"-A {CHAIN} -j REJECT", OUTPUT.format(5)]


def test_a_bridge_of_the_swarms_own_is_covered_too(servers: Path, call: Call, keeper: "subprocess.Popen[bytes]") -> None:
    """A task can land on it; what is set goes with the keeper, though the bridge is gone by then."""
    (servers / "bridges").write_text("0123456789ab\n")
    assert stand(call, keeper)
    assert f"-i br-0123456789ab -j {CHAIN}" in chains(servers, "iptables")["DOCKER-USER"]
    (servers / "bridges").write_text("")
    keeper.terminate()
    assert keeper.wait(10) == 0
    assert "DOCKER-USER" not in chains(servers, "iptables")


@pytest.fixture
def ipv4_only(servers: Path) -> Path:
    """Take ip6tables from the host, before the keeper starts."""
    (servers / "ip6tables.chains").rename(servers / "gone")
    return servers


def test_where_ipv6_cannot_be_filtered_a_server_loses_it(
    ipv4_only: Path, call: Call, keeper: "subprocess.Popen[bytes]"
) -> None:
    """All of its addresses; its IPv4 is filtered, and the list of the rules tells."""
    servers = ipv4_only
    assert stand(call, keeper)
    container(servers, 5, "hub-grace")
    (servers / "containers" / "c5").write_text("hub-grace /var/run/docker/netns/ns5 10.0.1.5/24 fd00:1::5/64")
    ip = servers / "namespaces" / "ns5" / "ip"
    ip.write_text('#!/bin/sh\necho "$@" >>"$(dirname "$0")/asked"\n')
    ip.chmod(0o755)
    told(servers, "start c5")
    assert stand(call, keeper)
    asked = (ip.parent / "asked").read_text().splitlines()
    assert asked == ["-6 address flush scope global", "-6 address flush scope link"]
    assert within(servers, 5) == [f"-A {CHAIN} -j REJECT", OUTPUT.format(5)]


def test_a_server_that_has_its_rules_keeps_them(servers: Path, call: Call, keeper: "subprocess.Popen[bytes]") -> None:
    """As after a container of the firewall that ended: what the server has connected by now stays."""
    assert stand(call, keeper)
    before = within(servers, 3)
    container(servers, 7, "hub-linus")
    told(servers, "die c3", "start c3", "start c7")
    assert stand(call, keeper)
    assert (within(servers, 3), bool(within(servers, 7))) == (before, True)


def test_a_server_that_ended_before_it_was_looked_at_is_no_failure(
    servers: Path, call: Call, keeper: "subprocess.Popen[bytes]"
) -> None:
    """The engine knows it no more, or its namespace is gone already."""
    assert stand(call, keeper)
    told(servers, "start c9")
    container(servers, 6, "hub-linus")
    told(servers, "start c6")
    assert stand(call, keeper)
    assert within(servers, 6)


def test_servers_that_cannot_be_kept_apart_end_it(servers: Path, keeper: "subprocess.Popen[bytes]") -> None:
    """With their names."""
    # The keeper's pauses cost no time.
    (servers / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.05\n")
    (servers / "sleep").chmod(0o755)
    (servers / "namespaces" / "ns3" / "iptables-restore").write_text("#!/bin/sh\nexit 4\n")
    assert keeper.wait(20) == 1
    assert "hub-ada cannot be isolated from the other servers" in (servers / "said").read_text()
