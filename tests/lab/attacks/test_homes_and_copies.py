"""Attacks on homes, folders and the copies of the database. About ten seconds, without a deploy."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.shared.servers import mounts
from lab import topology
from swarmhub.doctor.hosts import homes
from swarmhub.history import database
from swarmhub.notebooks import places
from swarmhub.settings.schema.clashes.volumes import areas
from tests.lab.support import HUB, Lab

MANAGER = topology.MANAGER.name
COPIES = f"{HUB}_backups"
# What swarmhub sends into its container, and the script of it that is run.
SENT = "/root/attacked"
SCRIPT = f"{SENT}/{database.IN_CONTAINER}"
# What the hub's user does to its own volume, each before root makes, moves or puts back a copy.
FORGE = """
rm -rf /data/* && cd /data && python3 -c "
import sqlite3
db = sqlite3.connect('/data/forged.sqlite')
db.executescript('create table users (name, admin); insert into users values (\\'mallory\\', 1)')
db.commit()
" && chmod 600 forged.sqlite
"""
HUBS = f"{FORGE.strip()} && chown -R 61081:0 /data"
TRIES = {
    "a folder of copies of its own": "mkdir -m 700 /data/backups && cp forged.sqlite /data/backups/before-1.sqlite",
    "a link to the copies": "ln -s /backups /data/backups",
    "a folder of copies that is a link to its files": "ln -s /data /data/backups",
    "the database as a link to a copy": "ln -s /backups/before-1.sqlite /data/jupyterhub.sqlite",
    "the database as a link to a file of the container's": "ln -s /etc/shadow /data/jupyterhub.sqlite",
    "the database as a folder": "mkdir /data/jupyterhub.sqlite",
    "the database as a pipe": "mkfifo /data/jupyterhub.sqlite",
}
# What somebody with the volume in reach would leave in place of a copy.
REPLACED = {
    "another user's file": "cp /data/forged.sqlite /backups/before-1.sqlite; chown 61081:0 /backups/before-1.sqlite",
    "a link to the forged one": "ln -sf /data/forged.sqlite /backups/before-1.sqlite",
    "a file with a second name": "cd /backups; cp /data/forged.sqlite x; chmod 600 x; ln x before-1.sqlite",
    "a file that the group may write": "cp /data/forged.sqlite /backups/before-1.sqlite; chmod 660 /backups/before-1.sqlite",
}


class Bench:
    """Volumes of its own on the manager, with the hub's image: the script that swarmhub runs there, as swarmhub runs it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.image = lab.docker("service", "inspect", HUB, "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
        for name, file in database.SENT.items():
            lab.on(
                MANAGER,
                "sh",
                "-c",
                f'mkdir -p "$(dirname {SENT}/{name})"; cat > {SENT}/{name} <<"END"\n{file.read_text()}\nEND',
            )

    def sh(self, script: str) -> str:
        """Run a shell script as root on both volumes, and return what it printed."""
        binds = ("-v", "attacked-data:/data", "-v", "attacked_backups:/backups", "-v", f"{SENT}:{SENT}:ro")
        run = ("run", "--rm", "--network", "none", "--user", "0", *binds, "--entrypoint", "sh", self.image, "-c", script)
        return self.lab.docker(*run)


@pytest.fixture(scope="module")
def bench(settled: Lab) -> Iterator[Bench]:
    """Return the bench; its volumes go in the end."""
    yield Bench(settled)
    settled.docker("volume", "rm", "--force", "attacked-data", "attacked_backups")
    settled.on(MANAGER, "rm", "-rf", SENT)


def attempt(prepare: str, action: str) -> str:
    """Return the part of a script that makes one try from nothing and prints a line of JSON on what came of it."""
    return f"""
rm -rf /backups/* && {HUBS} || exit 9
{prepare}
said=$(timeout 20 python3 {SCRIPT} {action} /data/jupyterhub.sqlite /backups/before-1.sqlite 2>&1); code=$?
python3 - "$code" "$said" <<'END'
import json, os, sys
def names(path):
    return sorted(os.listdir(path)) if os.path.isdir(path) else []
got = os.path.isfile("/data/jupyterhub.sqlite") and b"mallory" in open("/data/jupyterhub.sqlite", "rb").read()
print(json.dumps({{"code": int(sys.argv[1]), "said": sys.argv[2], "copies": names("/backups"), "mallory": got}}))
END
"""


@pytest.fixture(scope="module")
def tried(bench: Bench) -> dict[str, dict[str, object]]:
    """Make every try in one container: what the hub's user leaves, and then root copies; what is in a copy's place."""
    tries = [
        *(
            attempt(f"{script}; chown -h 61081:0 /data/backups /data/jupyterhub.sqlite 2>/dev/null", "copy")
            for script in TRIES.values()
        ),
        *(attempt(script, "restore") for script in REPLACED.values()),
    ]
    lines = bench.sh("\n".join(tries)).splitlines()
    return dict(zip([*TRIES, *REPLACED], map(json.loads, lines), strict=True))


@pytest.mark.parametrize("kind", TRIES)
def test_the_hub_leaves_on_its_volume(tried: dict[str, dict[str, object]], kind: str) -> None:
    """Who broke into the hub leaves links and folders for root to follow: nothing of it becomes a copy."""
    assert tried[kind]["copies"] == []


@pytest.mark.parametrize("kind", REPLACED)
def test_a_copy_has_been_replaced_by(tried: dict[str, dict[str, object]], kind: str) -> None:
    """Who could write where the copies are puts their own database there: a way back refuses it, and touches nothing."""
    assert tried[kind]["code"] == 1
    assert "is not root's alone" in str(tried[kind]["said"])
    assert not tried[kind]["mallory"]


@pytest.mark.parametrize(
    "what",
    ["mv /data/backups /data/elsewhere", "touch /backups/forged", "ls /var/lib/docker", "cat /proc/1/root/backups/*"],
)
def test_the_hubs_user_reaches_for_the_copies(settled: Lab, what: str) -> None:
    """Who broke into the hub looks for the copies: they are not in its container."""
    assert settled.execute(HUB, "sh", "-c", f"{what} 2>/dev/null; echo $?").splitlines()[-1] != "0"


def test_no_service_mounts_the_copies(settled: Lab) -> None:
    """Who broke into any service finds no copy there."""
    services = settled.docker("service", "ls", "--quiet").split()
    assert COPIES not in settled.docker("service", "inspect", *services)


def test_the_copies_are_roots_alone(bench: Bench) -> None:
    """A user of the manager reads no copy: the folder is root's, 0700, and so is each file, 0600."""
    bench.sh(
        f"{HUBS} && mv /data/forged.sqlite /data/jupyterhub.sqlite && rm -rf /backups/* && chmod 755 /backups && "
        f"python3 {SCRIPT} copy /data/jupyterhub.sqlite /backups/before-1.sqlite"
    )
    folder = "/var/lib/docker/volumes/attacked_backups/_data"
    listed = bench.lab.on(MANAGER, "find", folder, "-printf", "%y %m %u %f\\n").splitlines()
    assert listed == ["d 700 root _data", "f 600 root before-1.sqlite"]


NAMES = "/run/swarmhub/servers.json"
TOLD = {
    "more than there can be": f"head -c 20000000 /dev/zero > {NAMES}",
    "no JSON": f"echo '{{{{{{' > {NAMES}",
    "what a terminal acts on": (
        """printf '{"unknown": [], "avoided": [{"host": "\\\\u001b[2J\\\\u202eadmin", "why": "x", "until": 4e9}]}'"""
        f" > {NAMES}"
    ),
}


@pytest.mark.parametrize("kind", TOLD)
def test_the_hub_tells_the_operator(settled: Lab, kind: str) -> None:
    """Who broke into the hub fills the operator's memory or terminal by what `fab status` reads there: it goes on."""
    settled.execute(HUB, "sh", "-c", f"cp {NAMES} {NAMES}.kept 2>/dev/null; {TOLD[kind]}")
    try:
        done = settled.fab("status")
    finally:
        settled.execute(HUB, "sh", "-c", f"mv {NAMES}.kept {NAMES} 2>/dev/null || rm -f {NAMES}")
    assert done.code == 0, done.text
    assert len(done.text) < 20_000
    assert not {"\x1b", "\u202e", "\0"} & {*done.text}


REFUSED = {
    "homes that meet": '[home]\ntype = "path"\npath = "/srv/homes"\nname = "{username}-{servername}"\n',
    "homes of nobody": '[home]\nname = "{servername}"\n',
    "a folder that is any volume": '[[folders]]\nname = "{username}"\nmount = "/x"\n',
    "the copies as a folder": f'[[folders]]\nname = "{COPIES}"\nmount = "/x"\n',
    "a folder above the homes": (
        '[home]\ntype = "path"\npath = "/srv/homes"\n'
        '[[folders]]\ntype = "path"\npath = "//srv/"\nmount = "/x"\nread_only = false\n'
    ),
    "the node itself": '[[folders]]\ntype = "path"\npath = "/"\nmount = "/x"\nread_only = false\n',
    "a secret in plain text": '[access.options]\nclient_secret = "abc"\n',
}


@pytest.mark.parametrize("kind", REFUSED)
def test_the_settings_would_let_a_user_at(settled: Lab, tmp_path: Path, kind: str) -> None:
    """A user waits for settings that give them another's files or the node's: refused, before any connection."""
    file = tmp_path / "hosts.toml"
    file.write_text(
        '[hosts]\nmanagers = ["nowhere.invalid"]\n[hub]\ndomain = "hub.example.org"\n[notebook]\nimage = "a:1"\n'
        + REFUSED[kind]
    )
    done = settled.fab("plan", hosts=file)
    assert (done.code, "nowhere" in done.err) == (2, False), done.text


def test_a_folder_is_really_in_what_users_write(settled: Lab) -> None:
    """A user's link in a writable folder is to become root's mount: where a node's path leads there, `fab doctor` fails."""
    settled.on(
        MANAGER, "sh", "-c", "mkdir -p /srv/attacked/open/inner && ln -sfn /srv/attacked/open/inner /srv/attacked/course"
    )
    script = ("sh", "-c", places.SCRIPT, "sh", "/", mounts.MARKER)
    found = places.parse(settled.on(MANAGER, *script, "/srv/attacked/open", "/srv/attacked/course"))
    settled.on(MANAGER, "rm", "-rf", "/srv/attacked")
    tables = [{"type": "path", "path": f"/srv/attacked/{one}", "read_only": one != "open"} for one in ("open", "course")]
    (finding,) = homes.judge_links(areas({"folders": tables}), {MANAGER: found})
    assert finding.text == "/srv/attacked/course is really in /srv/attacked/open, where people write"
