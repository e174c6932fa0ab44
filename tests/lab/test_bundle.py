"""A network without internet: one file brings all images; two minutes, for 1.9 GB of images."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import topology
from tests.lab import empty
from tests.lab.support import HUB, ROOT, Lab, Settings

NODES = tuple(node.name for node in topology.NODES)
MANAGER, WORKER = topology.MANAGER.name, topology.WORKERS[0].name
REGISTRIES = [one.address for one in topology.SERVICES if one.name in ("registry", "private")]
# Between the nodes, their containers and the lab's own authority all stays open; to registries even what was connected before
# is cut.
CLOSE = f"""
iptables -N CLOSED
for one in {" ".join(REGISTRIES)}; do iptables -A CLOSED -d $one -j REJECT; done
iptables -A CLOSED -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
iptables -A CLOSED -d {topology.address(1)} -j REJECT
for one in {topology.SUBNET} 10.0.0.0/16 172.16.0.0/12 127.0.0.0/8; do iptables -A CLOSED -d $one -j RETURN; done
iptables -A CLOSED -j REJECT
iptables -I OUTPUT -j CLOSED
iptables -I FORWARD -j CLOSED
"""
OPEN = "iptables -D OUTPUT -j CLOSED; iptables -D FORWARD -j CLOSED; iptables -F CLOSED; iptables -X CLOSED"
OURS = "docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -v -e ^lab-cache: || true"


@contextmanager
def closed(lab: Lab) -> Iterator[None]:
    """Close the way out of the nodes and of all their containers."""
    try:
        for node in NODES:
            lab.on(node, "sh", "-ec", CLOSE)
        yield
    finally:
        for node in NODES:
            lab.on(node, "sh", "-c", OPEN)


def test_a_network_without_internet_is_deployed_from_one_file(lab: Lab, settings: Settings, tmp_path: Path) -> None:
    """With nothing pulled and nothing built; then a server runs on a worker, a plan is empty, another userlist is built."""
    file = tmp_path / "bundle.tar"
    made = lab.fab("bundle", "--out", str(file))
    assert made.code == 0, made.text
    print(made.out)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    empty.make(lab)
    assert [lab.on(node, "sh", "-c", OURS).split() for node in NODES] == [[], [], []]

    with closed(lab):
        refused = lab.fab("deploy", "--yes")
        assert refused.code == 1, refused.text
        assert "fab deploy --bundle FILE" in refused.text
        print(refused.text)
        # And right after it a plan without the bundle is empty.
        done = lab.fab("deploy", "--yes", "--bundle", str(file))
        assert done.code == 0, done.text
        print(done.out)
        assert f"load 6 of its 6 images on {MANAGER}" in done.out
        assert [word for word in ("pull ", "build ") if f" {word}" in done.out] == []
        lab.start_server("ada", on=WORKER)
        assert lab.node_of("ada") == WORKER
        built = lab.fab("build-hub", hosts=with_another_userlist(settings, tmp_path))
        assert built.code == 0, built.text
        assert f"build {HUB}:" in built.out
        print(built.out)


def with_another_userlist(settings: Settings, folder: Path) -> Path:
    """Return lab/hosts.toml with one user more."""
    before, hosts = ROOT / "lab" / "userlist", settings()
    (folder / "users").write_text(f"{before.read_text()}\nzoe\n")
    hosts.write_text(hosts.read_text().replace(f'"{before}"', f'"{folder / "users"}"'))
    return hosts
