"""What the kernels of many test machines lack, on Debian's own: the routing mesh, VIPs, IPsec, file servers, delay, reboots.

`make test-kernel` runs it in this order, on two machines in QEMU; each test goes on where the one before it has ended.
"""

import re
import time
from pathlib import Path

import pytest

from lab.machine import LabError
from lab.vm import disks
from swarmhub.errors import StepError
from tests.kernel.support import CLIENTS, HUB, MANAGER, WORKER, Cluster
from tests.report import Row

pytestmark = pytest.mark.timeout(2400)

DELAY = "tc qdisc replace dev between root netem delay 40ms"
NO_DELAY = "tc qdisc del dev between root"
ALL = (MANAGER, WORKER)
ESP = "timeout 60 tcpdump -lnni between -c 4 esp 2>/dev/null | wc -l"
# Of all overlays the mesh's own is in plain: Swarm does not encrypt it.
MESH = "docker network inspect ingress --format '{{index .Options \"com.docker.network.driver.overlay.vxlanid_list\"}}'"
OVERLAY_IN_PLAIN = (
    f'timeout 60 tcpdump -lnni between udp port 4789 2>/dev/null | grep "vni " | grep -v "vni $({MESH})" | head -n 4 | wc -l'
)
# The image stands for a disk; there is no line of /etc/fstab, since the machine is switched off afterwards.
VOLUMES_ON_XFS = """set -e
systemctl stop docker.socket docker
truncate -s 1G /var/xfs && mkfs.xfs -q /var/xfs
mv /var/lib/docker/volumes /var/lib/docker/volumes.old && mkdir /var/lib/docker/volumes
mount -o loop,pquota /var/xfs /var/lib/docker/volumes
cp -a /var/lib/docker/volumes.old/. /var/lib/docker/volumes/
systemctl start docker
"""
SAMBA = r"[global]\nmap to guest = bad user\nguest account = root\n[people]\npath = /srv/cifs\nread only = no\nguest ok = yes\n"
CURL6 = "curl -sS -k -o /dev/null -w '%{{http_code}}' --max-time 20 'https://[{}]/hub/health'"


def test_boot(booted: Cluster, seen: Row) -> None:
    """Two machines boot Debian's kernel, without KVM."""
    seen(booted.on(MANAGER, "uname -r") + ", Docker " + booted.on(MANAGER, "docker version -f '{{.Server.Version}}'"))
    modules = booted.on(MANAGER, "modprobe -a ip_vs esp4 nfs cifs sch_netem && echo they load")
    seen(f"ip_vs, esp4, nfs, cifs, sch_netem: {modules}")


def test_deploy(deployed: Cluster, meshed: Path, seen: Row) -> None:
    """A swarm is made and a hub deployed: `publish = "ingress"`, `endpoint_mode = "vip"`, `encrypted = true`, homes on NFS."""
    again = deployed.fab("plan", "--exit-code", hosts=meshed)
    assert again.code == 0, again.end
    seen(f"deployed; a plan is empty afterwards ({again.seconds:.0f} s)")


def test_mesh(deployed: Cluster, seen: Row) -> None:
    """The hub is asked at port 443 of both nodes, by `ingress`."""
    for name in ALL:
        deployed.wait(lambda name=name: deployed.answers(name), 120, f"the hub does not answer through {name}")  # type: ignore[misc]
        seen(f"{name}: 200, with a certificate that is verified")


def test_vip(deployed: Cluster, seen: Row) -> None:
    """A server starts on the other node, and is reached by its VIP."""
    seconds = deployed.start_server("ada", WORKER)
    assert deployed.get(WORKER, "/user/ada/api") == 200
    addresses = f"docker service inspect {HUB}-ada --format '{{{{range .Endpoint.VirtualIPs}}}}{{{{.Addr}}}} {{{{end}}}}'"
    vip = deployed.on(MANAGER, addresses)
    assert vip, "the server has no VIP"
    seen(f"ready after {seconds:.0f} s, answers 200 at /user/ada/; its VIP is {vip}")


def test_encrypted(deployed: Cluster, seen: Row) -> None:
    """What goes over the overlay between the nodes is looked at with tcpdump, while Ada's server is asked."""
    packets = {}
    for what, look in (("ESP", ESP), ("VXLAN in plain", OVERLAY_IN_PLAIN)):
        # tcpdump itself takes some seconds to begin.
        asking = "for i in $(seq 60); do curl -sk -o /dev/null --max-time 5 https://127.0.0.1/user/ada/api; sleep 1; done"
        both = f"({asking}) & asking=$!; {look}; kill $asking; wait $asking || true"
        packets[what] = int(deployed.on(MANAGER, both).split()[-1])
        seen(f"packets of {what}: {packets[what]}{' or more' if packets[what] == 4 else ''}")
    assert packets["ESP"] > 0
    assert packets["VXLAN in plain"] == 0


def test_nfs(deployed: Cluster, seen: Row) -> None:
    """Ada's home is a folder on an NFS server that exports with `no_root_squash`; she writes a file."""
    deployed.in_server("ada", WORKER, "echo kept > ~/file")
    mounted = deployed.in_server("ada", WORKER, "grep jovyan /proc/mounts").split()
    assert mounted[2] == "nfs4", mounted
    owner = deployed.on(WORKER, "stat -c %u:%g:%a /srv/homes/ada && cat /srv/homes/ada/file").split()
    assert owner[1] == "kept"
    seen(f"mounted as {mounted[2]}; the file is on the server, in a folder of {owner[0]}")


def test_root_squash(deployed: Cluster, seen: Row) -> None:
    """The same with `root_squash`, for somebody who has no folder yet, and for Ada, who has one."""
    deployed.stop_server("ada")
    deployed.on(WORKER, "sed -i s/no_root_squash/root_squash/ /etc/exports && exportfs -ra")
    try:
        with pytest.raises(StepError) as refused:
            deployed.start_server("grace", WORKER)
        seen(f"without a folder: “{refused.value.cause}”")
        deployed.start_server("ada", MANAGER)
        assert deployed.in_server("ada", MANAGER, "cat ~/file && echo more >> ~/file && echo written").split() == [
            "kept",
            "written",
        ]
        seen("with a folder: starts on the other node, and finds and writes her files")
    finally:
        deployed.on(WORKER, "sed -i s/root_squash/no_root_squash/ /etc/exports && exportfs -ra")
    assert "home" in refused.value.cause.lower()


def test_stale(deployed: Cluster, seen: Row) -> None:
    """The file server takes the export back while Ada's server runs, and gives it again."""
    look = "ls ~/$(date +%s%N)"  # a name that no cache has
    # Where a server exports nothing else to a client, it does not know it any more, and the client waits without end.
    deployed.on(WORKER, f"mkdir -p /srv/other && exportfs {CLIENTS}:/srv/other && exportfs -u {CLIENTS}:/srv/homes")
    try:
        said = deployed.wait(lambda: _says(deployed, f"{look} 2>&1 | grep -v such"), 180, "Ada still reads her home")
        seen(f"in her server: {said}")
        with pytest.raises(StepError) as refused:
            deployed.start_server("grace", MANAGER)
        seen(f"another one does not start: “{refused.value.cause}”")
    finally:
        deployed.on(WORKER, "exportfs -ra")
    assert "stale file handle" in said.lower()
    assert "file server" in refused.value.cause
    deployed.wait(lambda: _says(deployed, "head -n 1 ~/file") == "kept", 180, "Ada's server does not find her home again")
    seen("afterwards, her server finds her file without a restart")


def _says(cluster: Cluster, script: str) -> str:
    try:
        return cluster.in_server("ada", MANAGER, script)
    except LabError:
        return ""


def test_ipv6_by_ingress(deployed: Cluster, meshed: Path, seen: Row) -> None:
    """With `ingress`, the hub is asked by IPv6, and `fab doctor` whether that works; the domain has an IPv6 address."""
    for address in ("::1", "fd00:214::11"):
        try:
            answer = deployed.on(MANAGER, CURL6.format(address))
        except LabError as error:
            answer = re.findall(r"curl: .*", str(error))[-1]
        seen(f"[{address}]: {answer}")
    done = deployed.fab("doctor", hosts=meshed)
    told = [line.strip() for line in done.text.splitlines() if re.search(r"ipv6|fd00:214", line, re.IGNORECASE)]
    seen(f"doctor ({done.seconds:.0f} s): {re.sub(r' +', ' ', ' / '.join(told)) or 'says nothing of it'}")
    assert any(line.startswith(("failure", "warning")) for line in told), done.end


def test_delay(deployed: Cluster, meshed: Path, seen: Row) -> None:
    """40 ms of delay each way between the nodes (`netem`): a plan, a deploy with nothing to do, a start on the other node."""
    deployed.stop_server("ada")
    near = deployed.fab("plan", "--exit-code", hosts=meshed)
    try:
        for name in ALL:
            deployed.on(name, DELAY)
        trip = re.search(r"= [\d.]+/([\d.]+)/", deployed.on(MANAGER, f"ping -c 3 {WORKER}"))
        assert trip
        assert float(trip[1]) >= 80
        far = deployed.fab("plan", "--exit-code", hosts=meshed)
        assert far.code == near.code == 0, far.end
        again = deployed.fab("deploy", hosts=meshed)
        assert again.code == 0, again.end
        seen(f"round trip {float(trip[1]):.0f} ms; plan {far.seconds:.0f} s ({near.seconds:.0f} s without delay)")
        seen(f"deploy with nothing to do {again.seconds:.0f} s")
        seconds = deployed.start_server("ada", WORKER)
        assert deployed.get(MANAGER, "/user/ada/api") == 200
        seen(f"a server is ready after {seconds:.0f} s")
    finally:
        for name in ALL:
            deployed.on(name, NO_DELAY)


def test_reboot(deployed: Cluster, meshed: Path, seen: Row) -> None:
    """The machine that the hub is on is rebooted, and nobody does anything."""
    boot, began = deployed.on(MANAGER, "cat /proc/sys/kernel/random/boot_id"), time.monotonic()
    deployed.on(MANAGER, "systemd-run --quiet --on-active=1 systemctl reboot")
    deployed.wait(lambda: _boot(deployed) not in ("", boot), 900, f"{MANAGER} does not come back")
    up = time.monotonic() - began
    deployed.wait(lambda: deployed.answers(MANAGER), 600, "the hub does not come back")
    seen(f"the machine is back after {up:.0f} s, the hub answers after {time.monotonic() - began:.0f} s")
    assert deployed.get(MANAGER, "/user/ada/api") == 200
    seen("Ada's server, which runs on the other node, went on and is reached")
    deployed.wait(lambda: "SWARMHUB" in deployed.on(MANAGER, "iptables -S DOCKER-USER"), 120, "no firewall rules")
    seen("the firewall's rules are active")
    deployed.start_server("grace", MANAGER)
    seen("a server starts on it")
    plan = deployed.fab("plan", "--exit-code", hosts=meshed)
    assert plan.code == 0, plan.end
    seen("a plan is empty")


def _boot(cluster: Cluster) -> str:
    try:
        return cluster.on(MANAGER, "cat /proc/sys/kernel/random/boot_id", 30)
    except LabError:
        return ""


def test_reboot_of_a_servers_node(deployed: Cluster, seen: Row) -> None:
    """The machine that Ada's server is on is rebooted; it is the file server, too."""
    deployed.on(WORKER, "systemctl enable --quiet nfs-server && systemd-run --quiet --on-active=1 systemctl reboot")
    deployed.wait(lambda: deployed.on(MANAGER, f"docker node ls | grep {WORKER} | grep Down || true"), 300, "it stays up")
    deployed.wait(lambda: deployed.on(MANAGER, f"docker node ls | grep {WORKER} | grep Ready || true"), 900, "it stays away")
    deployed.wait(lambda: not (deployed.api().get("users/ada")["servers"]), 300, "the hub takes Ada's server for one that runs")
    seen("her server has ended, and the hub knows it")
    deployed.start_server("ada", WORKER)
    assert deployed.in_server("ada", WORKER, "head -n 1 ~/file") == "kept"
    seen("she starts it again there, and finds her files")


def test_host_and_cifs(deployed: Cluster, hosted: Path, seen: Row) -> None:
    """The settings change to `publish = "host"`, `dnsrr` and homes on CIFS (Samba)."""
    for user in ("ada", "grace"):
        deployed.stop_server(user)
    deployed.on(WORKER, f"mkdir -p /srv/cifs && printf '{SAMBA}' > /etc/samba/smb.conf && systemctl start smbd")
    done = deployed.fab("deploy", "--yes", hosts=hosted)
    assert done.code == 0, done.end
    seen(f"deployed ({done.seconds:.0f} s)")
    seconds = deployed.start_server("ada", WORKER)
    deployed.in_server("ada", WORKER, "echo kept > ~/file && chmod 600 ~/file")
    mounted = deployed.in_server("ada", WORKER, "grep jovyan /proc/mounts").split()
    assert mounted[2] == "cifs", mounted
    assert deployed.on(WORKER, "cat /srv/cifs/ada/file") == "kept"
    seen(f"a server is ready after {seconds:.0f} s; its home is {mounted[2]}, and the file is on the file server")


def test_ipv6_by_host(deployed: Cluster, seen: Row) -> None:
    """With `host`, the hub is asked by IPv6 on its node."""
    for address in ("::1", "fd00:214::11"):
        answer = deployed.on(MANAGER, CURL6.format(address))
        seen(f"[{address}]: {answer}")
        assert answer == "200"


def test_quota(deployed: Cluster, seen: Row) -> None:
    """The volumes are put on XFS as docs/notebooks.md says; one has the option that the hub gives for `quota = "20M"`."""
    deployed.on(WORKER, VOLUMES_ON_XFS)
    deployed.on(WORKER, "docker volume create -o size=20M limited")
    fill = "head -c {} /dev/zero > /home/jovyan/{} 2>&1 || echo refused"
    run = f"docker run --rm --user 0 -v limited:/home/jovyan --entrypoint sh {disks.NOTEBOOK} -c '{{}}'"
    assert deployed.on(WORKER, run.format(fill.format("19M", "fits"))) == ""
    said = deployed.on(WORKER, run.format(fill.format("2M", "does-not")))
    assert "refused" in said
    seen(f"19 MB fit; 2 MB more: {said.splitlines()[0]}")
