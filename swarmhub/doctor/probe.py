"""One shell script a host, in one round trip: the clock, free disk, the kernel, addresses, routes, MTUs and VXLANs."""

import re
import time
from dataclasses import dataclass

from swarmhub.errors import StepError
from swarmhub.host import Host

# /proc shows IPVS only once it is loaded; a module that can be loaded will be. A kernel built without it says so in its config.
SCRIPT = r"""
PATH=$PATH:/usr/sbin:/sbin
echo "clock $(date +%s.%N)"
echo "user ${SUDO_USER:-$(id -un)}"
for folder in "$@"; do
  df -Pk "$folder" 2>/dev/null | awk -v folder="$folder" 'NR == 2 { print "free", $(NF-2), folder }'
done
release=$(uname -r)
config=$(gzip -dc /proc/config.gz 2>/dev/null || cat "/boot/config-$release" 2>/dev/null)
feature() {
  if [ -n "$4" ] && [ -e "$4" ]; then answer=yes
  elif printf '%s\n' "$config" | grep -q "^# $3 is not set"; then answer=no
  elif printf '%s\n' "$config" | grep -q "^$3=y"; then answer=yes
  elif ! command -v modprobe >/dev/null; then answer=unknown
  elif modprobe -nq "$2"; then answer=yes
  else answer=no
  fi
  echo "kernel $1 $answer $release"
}
feature IPVS ip_vs CONFIG_IP_VS /proc/net/ip_vs
feature ESP esp4 CONFIG_INET_ESP ""
ip -o addr 2>/dev/null | while read -r _ device family address _; do
  case $family in inet|inet6) echo "address ${device%%@*} ${address%%/*} $(cat "/sys/class/net/${device%%@*}/mtu")";; esac
done
ip -o route 2>/dev/null | sed -n 's/^\([0-9][^ ]*\) .*\bdev \([^ ]*\).*/route \1 \2/p'
ip -o -d link show type vxlan 2>/dev/null |
  sed -n 's/^[0-9]*: \([^:@]*\).* vxlan id \([0-9]*\) .*dstport \([0-9]*\) .*/vxlan \1 \2 \3/p'
sed -n 's/^nameserver  *\([^ ]*\).*/nameserver \1/p' /etc/resolv.conf 2>/dev/null
for folder in /bin /usr /lib /lib64; do [ ! -e "$folder" ] || echo "folder $folder"; done
command -v bash >/dev/null && echo "bash yes"
:
"""


@dataclass(frozen=True)
class Address:
    """An address of a host, and the device that carries it."""

    device: str
    address: str
    mtu: int


@dataclass(frozen=True)
class Route:
    """A network that a host reaches, and by which device."""

    subnet: str
    device: str


@dataclass(frozen=True)
class Vxlan:
    """A VXLAN device of a host's own, with its number and UDP port."""

    device: str
    number: int
    port: int


@dataclass(frozen=True)
class Probe:
    """What a host says of itself. `offset` is its clock's lead over this machine's, in seconds, right to within `error`."""

    offset: float
    error: float
    user: str
    free: dict[str, int]
    kernel: dict[str, str]
    release: str
    addresses: tuple[Address, ...]
    folders: tuple[str, ...]
    has_bash: bool
    routes: tuple[Route, ...] = ()
    name_servers: tuple[str, ...] = ()
    vxlans: tuple[Vxlan, ...] = ()


def observe(host: Host, *folders: str) -> Probe:
    """Run the script; `folders` are those whose free bytes are asked for.

    Raises:
        StepError: the host does not let this user run it.

    """
    before, asked = time.time(), time.monotonic()
    done = host.run("sh", "-c", SCRIPT, "sh", *folders)
    took = time.monotonic() - asked
    if done.code:
        raise StepError(host.name, f"cannot run sh there: {done.last}", f"Make this work first: ssh {host.name} true")
    return parse(done.out, before + took / 2, took / 2)


def parse(text: str, now: float, error: float) -> Probe:
    """Read what the script printed; `now` is when it ran, by this machine's clock."""
    rows: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *words = line.split()
        rows.setdefault(name, []).append(words)
    # A busybox's date has no nanoseconds.
    clock = re.match(r"\d+(?:\.\d+)?", rows["clock"][0][0])
    return Probe(
        offset=float(clock[0] if clock else now) - now,
        error=error,
        user=" ".join(rows["user"][0]),
        free={" ".join(folder): int(free) * 1024 for free, *folder in rows.get("free", [])},
        kernel={name: answer for name, answer, *_ in rows.get("kernel", [])},
        release=next((row[2] for row in rows.get("kernel", []) if len(row) > 2), ""),
        addresses=tuple(Address(device, address, int(mtu)) for device, address, mtu in rows.get("address", [])),
        folders=tuple(row[0] for row in rows.get("folder", [])),
        has_bash="bash" in rows,
        routes=tuple(Route(*row) for row in rows.get("route", [])),
        name_servers=tuple(row[0] for row in rows.get("nameserver", [])),
        vxlans=tuple(Vxlan(device, int(number), int(port)) for device, number, port in rows.get("vxlan", [])),
    )
