"""Attacks by root in a notebook (`drop_capabilities = false`, an image with sudo), on a worker, with a neighbour on its node.

Both are services made by hand, with the capabilities that the hub's spec gives and under names that the firewall takes for
the hub's servers: no deploy. About six seconds, all attempts in one program.
"""

import json
from collections.abc import Iterator

import pytest

from hub.shared.servers.spec import UNLOCKED
from lab import topology
from tests.lab.support import HUB, Lab

WORKER = topology.WORKERS[0].name
ROOT, NEIGHBOUR = f"{HUB}-mallory", f"{HUB}-trent"
IMAGE = "registry.lab:5000/notebook:lab"
# Each attempt ends with an error, or it has succeeded. x86-64 and arm64 number their calls differently.
TRY = r"""
import ctypes, fcntl, json, os, platform, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"

def call(x86, arm, *arguments):
    if libc.syscall(arm if ARM else x86, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def must(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def write(path, text):
    with open(path, "w") as file:
        file.write(text)

def interface(request, *parts):
    with socket.socket() as one:
        fcntl.ioctl(one, request, struct.pack("16s16s", b"eth0", b"".join(parts)))

def netlink(kind, flags, body, family):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as one:
        one.settimeout(2)
        one.send(struct.pack("IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        answer = one.recv(4096)
        code = struct.unpack("i", answer[16:20])[0]
        if struct.unpack("H", answer[4:6])[0] == 2 and code < 0:
            raise OSError(-code, os.strerror(-code))

def option(level, name, value=1):
    with socket.socket() as one:
        one.setsockopt(level, name, value)

def connect(address, port):
    with socket.create_connection((address, int(port)), 2):
        pass

def spoof_arp():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as one:
        one.bind(("eth0", 0))
        one.send(b"\xff" * 6 + bytes(6) + b"\x08\x06" + bytes(28))

def address(family, kind):
    return socket.socket(family, socket.SOCK_RAW, kind).close()

def capability():
    open("/tmp/program", "w").close()
    os.setxattr("/tmp/program", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))

def chroot_escape():
    os.makedirs("/tmp/jail", exist_ok=True)
    os.chroot("/tmp/jail")

def foreign_processes():
    names = [open(f"/proc/{one}/comm").read().strip() for one in os.listdir("/proc") if one.isdigit()]
    if not {"dockerd", "containerd", "sshd", "runc"} & {*names}:
        raise PermissionError(0, "none is seen")

def early(name):
    found = [os.path.join(folder, name) for folder in ("/run", "/var/run", "/", "/host", "/engine")]
    [socket.socket(socket.AF_UNIX).connect(one) for one in found if os.path.exists(one)] or os.stat(found[0])

def dot_dot():
    # A folder that is open since before, as CVE-2024-21626 leaves one, leads out.
    for one in os.listdir("/proc/self/fd"):
        target = os.readlink(f"/proc/self/fd/{one}") if os.path.exists(f"/proc/self/fd/{one}") else ""
        if target.startswith("/sys/fs/cgroup"):
            return
    raise PermissionError(0, "none is open")

hub, neighbour, node = sys.argv[1:4]
subnet = socket.inet_aton("10.9.9.9")
ATTEMPTS = {
    "raw-packets-on-the-wire": lambda: address(socket.AF_PACKET, socket.htons(3)),
    "arp-answers-in-a-neighbours-name": spoof_arp,
    "raw-ip": lambda: address(socket.AF_INET, socket.IPPROTO_RAW),
    "raw-tcp": lambda: address(socket.AF_INET, socket.IPPROTO_TCP),
    "raw-icmp": lambda: address(socket.AF_INET, socket.IPPROTO_ICMP),
    "raw-ipv6": lambda: address(socket.AF_INET6, socket.IPPROTO_ICMPV6),
    "packets-from-any-address": lambda: option(socket.IPPROTO_IP, 19),
    "packets-with-a-mark": lambda: option(socket.SOL_SOCKET, 36),
    "another-address": lambda: interface(0x8916, struct.pack("HH", 2, 0), subnet, bytes(8)),
    "another-hardware-address": lambda: interface(0x8924, struct.pack("H", 1), bytes(14)),
    "another-mtu": lambda: interface(0x8922, struct.pack("i", 9000), bytes(12)),
    "a-route-past-the-rules": lambda: netlink(24, 5 | 0x600, bytes([2, 32, 0, 0, 254, 3, 0, 1]) + bytes(4), 0),
    "a-new-interface": lambda: netlink(16, 5 | 0x600, struct.pack("BxHiII", 0, 0, 0, 0, 0), 0),
    "rules-listed-by-iptables": lambda: option(socket.IPPROTO_IP, 64, bytes(64)),
    "rules-flushed-by-nftables": lambda: netlink((10 << 8) | 2, 5, bytes(4), 12),
    "connections-read-by-conntrack": lambda: netlink((1 << 8) | 1, 5 | 0x300, bytes([2, 0, 0, 0]), 12),
    "a-device-file-of-the-disk": lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)),
    "a-device-file-of-memory": lambda: os.mknod("/tmp/memory", 0o20600, os.makedev(1, 1)),
    "the-nodes-memory": lambda: open("/dev/mem", "rb"),
    "the-kernels-log": lambda: open("/dev/kmsg"),
    "mount-proc": lambda: must(libc.mount(b"proc", b"/mnt", b"proc", 0, None)),
    "mount-cgroup": lambda: must(libc.mount(b"cgroup", b"/mnt", b"cgroup", 0, b"memory")),
    "mount-the-nodes-disk": lambda: must(libc.mount(b"/dev/sda1", b"/mnt", b"ext4", 0, None)),
    "remount-sys-writable": lambda: must(libc.mount(None, b"/sys", None, 32, None)),
    "unmount-what-hides-proc": lambda: must(libc.umount2(b"/proc/kcore", 2)),
    "chroot": chroot_escape,
    "pivot-root": lambda: call(155, 41, b"/", b"/"),
    "a-folder-left-open-by-runc": dot_dot,
    "files-by-handle": lambda: call(304, 265, 0, ctypes.create_string_buffer(64), 0),
    "a-user-namespace": lambda: must(libc.unshare(0x10000000)),
    "a-mount-namespace": lambda: must(libc.unshare(0x20000)),
    "a-network-namespace": lambda: must(libc.unshare(0x40000000)),
    "another-network-namespace": lambda: must(libc.setns(os.open("/proc/1/ns/net", 0), 0x40000000)),
    "processes-of-the-node": foreign_processes,
    "module-by-file": lambda: call(313, 273, 0, b"", 0),
    "module-by-memory": lambda: call(175, 105, b"x", 1, b""),
    "another-kernel": lambda: call(246, 104, 0, 0, 0, 0),
    "bpf": lambda: call(321, 280, 5, ctypes.create_string_buffer(128), 128),
    "perf-events": lambda: call(298, 241, ctypes.create_string_buffer(128), -1, 0, -1, 0),
    "keys-of-the-kernel": lambda: call(250, 219, 0, -3, 1),
    "restart-of-the-node": lambda: must(libc.reboot(0x89ABCDEF)),
    "another-time": lambda: call(227, 112, 0, struct.pack("qq", 1, 0)),
    "another-name": lambda: socket.sethostname("node"),
    "swap": lambda: must(libc.swapon(b"/tmp/program", 0)),
    "proc-sys-core-pattern": lambda: write("/proc/sys/kernel/core_pattern", "|/tmp/program"),
    "proc-sys-forwarding": lambda: write("/proc/sys/net/ipv4/ip_forward", "1"),
    "proc-sys-modprobe": lambda: write("/proc/sys/kernel/modprobe", "/tmp/program"),
    "proc-sysrq": lambda: write("/proc/sysrq-trigger", "h"),
    "sys-uevent-helper": lambda: write("/sys/kernel/uevent_helper", "/tmp/program"),
    "sys-release-agent": lambda: write("/sys/fs/cgroup/memory/release_agent", "/tmp/program"),
    "sys-own-memory-limit": lambda: write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "-1"),
    "a-program-with-raw-packets": capability,
    "higher-priority": lambda: os.nice(-20),
    "dockers-socket": lambda: early("docker.sock"),
    "containerds-socket": lambda: early("containerd/containerd.sock"),
    "the-filters-socket": lambda: early("engine/docker.sock"),
    "a-neighbour": lambda: connect(neighbour, 8888),
    "ssh-of-the-node": lambda: connect(node, 22),
    "gossip-of-the-node": lambda: connect(node, 7946),
    "ALLOWED-the-hub": lambda: connect(hub, 8081),
    "ALLOWED-to-be-another-user": lambda: os.seteuid(1000) or os.seteuid(0),
    "ALLOWED-to-give-files-away": lambda: os.chown("/tmp", 1000, 1000),
    "ALLOWED-to-install": lambda: write("/usr/bin/tool", ""),
    "ALLOWED-a-port-below-1024": lambda: socket.create_server(("0.0.0.0", 80)).close(),
}
if hub == "names":
    print("\n".join(ATTEMPTS))
    sys.exit()
found = {}
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        found[name] = "done"
    except OSError as error:
        found[name] = f"{type(error).__name__}: {error.strerror or error}"
print(json.dumps(found))
"""
NAMES = [line.split('"')[1] for line in TRY.partition("ATTEMPTS = {")[2].partition("\n}")[0].splitlines() if line]


def server(lab: Lab, name: str, *options: str) -> str:
    """Start a service on the worker as the hub starts a server, and return its container."""
    stub = "exec python3 -m http.server 8888"
    placed = ("--constraint", f"node.hostname=={WORKER}", "--network", "jupyter", "--endpoint-mode", "dnsrr")
    made = ("service", "create", "--quiet", "--detach", "--no-resolve-image", "--restart-condition", "none", "--name", name)
    lab.docker(*made, *placed, *options, IMAGE, "sh", "-c", stub)
    listed = ("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={name}")
    lab.wait(lambda: lab.docker(*listed, node=WORKER), 20, f"{name} does not start")
    return lab.docker(*listed, node=WORKER)


@pytest.fixture(scope="module")
def attempts(settled: Lab) -> Iterator[dict[str, str]]:
    """Try everything at once as root, when the neighbour answers itself and the hub's rules are set."""
    kept = [word for name in UNLOCKED["cap_add"] for word in ("--cap-add", name)]
    root = server(settled, ROOT, "--user", "0", "--cap-drop", "ALL", *kept)
    neighbour = server(settled, NEIGHBOUR)
    try:
        at = settled.docker("exec", neighbour, "hostname", "-i", node=WORKER).split()[0]
        knock = ("exec", neighbour, "python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8888), 1)")
        settled.wait(lambda: settled.docker(*knock, node=WORKER) == "", 10, "the neighbour does not listen")
        checked = ("/bin/sh", "/firewall.sh", "check")
        settled.wait(lambda: settled.execute(f"{HUB}_firewall", *checked, node=WORKER) == "", 20, "rules are not set")
        node = topology.WORKERS[0].address
        yield json.loads(settled.docker("exec", root, "python3", "-c", TRY, HUB, at, node, node=WORKER))
    finally:
        settled.docker("service", "rm", ROOT, NEIGHBOUR)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("ALLOWED")])
def test_root_in_a_notebook_cannot(attempts: dict[str, str], name: str) -> None:
    """Root in a notebook tries what the name says, with all capabilities that a server may have: it fails."""
    assert attempts[name] != "done"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("ALLOWED")])
def test_root_in_a_notebook_can(attempts: dict[str, str], name: str) -> None:
    """What sudo is for works, and the hub is reached."""
    assert attempts[name] == "done"
