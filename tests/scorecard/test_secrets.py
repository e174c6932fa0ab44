"""What is seen of secrets while they are used, and afterwards."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab import keys, topology
from tests.lab.killing import restart_hub
from tests.lab.support import HUB, Done, Lab, variant
from tests.lab.test_backup import STORE
from tests.lab.test_company import PORT, leading_on
from tests.lab.test_images import IMAGES, private
from tests.report import Row
from tests.scorecard import canaries
from tests.scorecard.canaries import Canary
from tests.scorecard.counts import times
from tests.scorecard.processes import Process, watching
from tests.scorecard.test_backups import RESTIC

__all__ = ["private"]
pytestmark = pytest.mark.timeout(7200)
MANAGER, WORKER = topology.MANAGER.name, topology.WORKERS[0].name
FOLDER = "/srv/backup-of-secrets"
PASSWORD, PROXY = "BACKUP_PASSWORD", "INTERNET_PROXY"
# New ones in each round.
CHANGED = ("GITHUB_CLIENT_SECRET", "REPORT_TOKEN", PROXY)
TABLES = """
[http_proxy]
url = {secret = "INTERNET_PROXY"}

[jupyterhub.JupyterHub]
services = [{ name = "report", api_token = { secret = "REPORT_TOKEN" } }]

[backup]
repository = "sftp:root@STORE:REPOSITORY"
ssh_key = "state/ssh_key"
ssh_known_hosts = "FOLDER/known_hosts"
every = "1d"

[notebook]
build = "FOLDER/notebook"
""".replace("STORE:REPOSITORY", f"{STORE}:{FOLDER}")
BY_DNS = """[certs]
dns = "rfc2136"
dns_credentials = "state/rfc2136.ini"
dns_propagation = 1
wildcard = true
"""
# The hub's own configuration fails, and says what it should not.
TELLS = """
from pathlib import Path
token = Path("/run/secrets/REPORT_TOKEN").read_text()
raise RuntimeError(f"broken on purpose with {token}")
"""
# What is asked for in the end; a restore without a terminal says what it would do.
ASKED = (
    *("plan --details", "plan --json", "history", "history --json", "releases --json", "status --json", "logs", "doctor"),
    *("backups", "backups --json", "backup-verify"),
)


@dataclass
class Work:
    """What is done with secrets that are canaries, and all that was said of it."""

    lab: Lab
    folder: Path
    image: str
    logins: Path
    known: list[Canary]
    said: dict[str, str] = field(default_factory=dict)

    def change(self) -> str:
        """Put new secrets in the place of those before, and return the HTTP proxy's password."""
        made, first = canaries.made(*CHANGED), (topology.STATE / "oauth.env").read_text().splitlines()
        self.known += [Canary(name, value) for name, value in made.items()]
        given = made | {
            PASSWORD: self.known[0].value,
            PROXY: f"http://operator:{made[PROXY]}@{topology.MANAGER.address}:{PORT}",
        }
        kept = [line for line in first if line.partition("=")[0] not in given]
        (self.folder / "secrets.env").write_text("\n".join([*kept, *(f"{name}={value}" for name, value in given.items())]))
        return made[PROXY]

    def fab(self, words: str, *replaced: tuple[str, str], code: int = 0) -> Done:
        """Run `fab` with all that it has to say, which is kept; in `hosts.toml`, some texts may be replaced."""
        named = f'file = "{self.folder}/secrets.env"\nnames = ["REPORT_TOKEN", "{PROXY}"]'
        hosts = variant(
            self.folder,
            ('file = "state/oauth.env"', named),
            ("[notebook]\n", TABLES.replace("FOLDER", str(self.folder))),
            ("[certs]\n", BY_DNS),
            (f'image = "{IMAGES[-1]}"', f'image = "{self.image}"'),
            *replaced,
        )
        done = self.lab.fab("--debug", *words.split(), hosts=hosts, DOCKER_CONFIG=str(self.logins))
        assert done.code == code, done.text[-3000:]
        self.said[f"fab {words}"] = self.said.get(f"fab {words}", "") + done.text
        return done

    @property
    def telling(self) -> tuple[str, str]:
        """Return what lets the hub's configuration fail."""
        return ("[hub]\n", f'[hub]\nconf = "{self.folder}/conf.d"\n')

    def is_saved(self) -> bool:
        """Tell whether the cluster has made a backup itself."""
        return bool(json.loads(self.fab("status --json").out)["backups"]["last"])


@pytest.fixture
def work(private: tuple[Lab, str, Path, Path], tmp_path: Path) -> Iterator[Work]:
    """Give the lab with what has secrets: a registry, a repository of backups, an HTTP proxy, a name server."""
    lab, image, logins, _ = private
    folder = tmp_path / "secrets"
    (folder / "notebook").mkdir(parents=True)
    # It is built each time, as it has the time in it.
    (folder / "notebook" / "requirements.txt").write_text(f"cowsay==6.1\n# {time.time()}\n")
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "10-tells.py").write_text(TELLS)
    key = (topology.STATE / f"{STORE}.ssh_host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"{STORE} {key[0]} {key[1]}\n")
    lab.on(STORE, "rm", "-rf", FOLDER)
    of_dns = re.search(r"^dns_rfc2136_secret = (\S+)$", (topology.STATE / keys.DNS_CREDENTIALS).read_text(), re.MULTILINE)
    assert of_dns
    known = [
        Canary(PASSWORD, canaries.made(PASSWORD)[PASSWORD]),
        Canary("the key of the name server", of_dns[1]),
        Canary("the SSH key", (topology.STATE / "ssh_key").read_text().splitlines()[2]),
        Canary("the login to the registry", (topology.STATE / keys.LOGIN).read_text().partition(":")[2]),
    ]
    yield Work(lab, folder, image, logins, known)
    lab.forget_certificate()
    lab.let_stand()
    lab.on(STORE, "rm", "-rf", FOLDER)


def test_secrets(work: Work, seen: Row) -> None:
    """7. Secrets change in deploys, with backups and restarts of the hub; they are looked for in all that is seen of it."""
    lab, count = work.lab, times(10)
    with leading_on(lab, work.change()), watching() as building:
        work.fab("build-notebook")
        work.fab("build-hub")
        work.fab("build-hub", work.telling)
    with _planted(lab) as controls:
        with watching() as watch:
            for number in range(count):
                with leading_on(lab, work.change()):
                    work.fab("deploy --yes")
                    if not number:
                        lab.wait(work.is_saved, 240, "the cluster makes no backup")
                    work.fab("backup")
                    restart_hub(lab)
                    if number == count - 1:
                        _asked(work)
        work.known += _of_cluster(lab)
        texts = work.said | canaries.left(lab) | _in_repository(lab, work.known[0])
    found = [*canaries.started_with(controls, watch.processes)]
    assert {(name, where) for name, where, _ in found} == PLANTED, found
    assert {*canaries.told(controls, texts)} >= TOLD
    assert canaries.told(work.known, texts) == []
    # What a build runs has the HTTP proxy's address in its environment, and so has certbot: docs/security.md.
    of_build = [one for one in canaries.started_with(work.known, building.processes) if one[:2] != (PROXY, "environment")]
    of_rest = [one for one in canaries.started_with(work.known, watch.processes) if not _is_certbots(*one)]
    assert of_build + of_rest == []
    names, processes = {one.name for one in work.known}, watch.processes | building.processes
    seen(f"{count} deploys with other secrets, each with a backup and a restart; {len(names)} kinds of secrets")
    seen(f"{watch.lists + building.lists} lists of processes, with {len(processes)} in all, here and on all nodes: 0 found")
    seen(f"{len(texts)} texts of {sum(map(len, texts.values())) / 1e6:.0f} MB: 0 found")
    seen(f"what was planted is found in all {len(PLANTED) + len(TOLD)} places")


# Where what is planted has to be found.
HERE, THERE = "planted here", "planted on a node"
PLANTED = {(f"{name}, {where}", where) for name in (HERE, THERE) for where in ("arguments", "environment")}
TOLD = {
    *(f"{THERE}, environment in {what} of {WORKER}" for what in ("containers", "logs", "images")),
    f"{THERE}, arguments in the images' histories of {WORKER}",
    f"{THERE}, arguments in configs",
}
CONTROL = "canary-control"
# It says what is in its environment, and has an image and a config made of what it is given.
SAYS = 'echo "$PLANTED"; sleep 3600; :'
PLANT = f"""
docker run --detach --name {CONTROL} --env "PLANTED=$1" --entrypoint sh {IMAGES[0]} -c '{SAYS}' sh "$2"
docker commit {CONTROL} {CONTROL}
"""


@contextmanager
def _planted(lab: Lab) -> Iterator[list[Canary]]:
    """Plant canaries where they have to be found."""
    made = {(name, where): canaries.made(where)[where] for name, where in PLANTED}
    here, there = ([made[f"{name}, {where}", where] for where in ("environment", "arguments")] for name in (HERE, THERE))
    command = [sys.executable, "-c", "import time; time.sleep(3600)", here[1]]
    process = subprocess.Popen(command, env={**os.environ, "PLANTED": here[0]})
    try:
        lab.on(WORKER, "sh", "-ec", PLANT, "sh", *there)
        lab.on(MANAGER, "sh", "-ec", f'printf %s "$0" | docker config create {CONTROL} -', there[1])
        yield [Canary(name, value) for (name, _), value in made.items()]
    finally:
        process.kill()
        process.wait()
        lab.on(WORKER, "sh", "-c", f"docker rm --force {CONTROL}; docker image rm {CONTROL}")
        lab.on(MANAGER, "sh", "-c", f"docker config rm {CONTROL}")


def _asked(work: Work) -> None:
    """Ask for all that tells of secrets, and provoke a traceback."""
    for words in ASKED:
        work.fab(words)
    # With --debug, a refusal ends as any error that has a traceback.
    work.fab("restore", code=1)
    done = work.fab("deploy --yes", work.telling, code=1)
    assert ("Traceback" in done.text, "broken on purpose" in done.text) == (True, True), done.text[-3000:]


def _of_cluster(lab: Lab) -> list[Canary]:
    """Return what the cluster has made itself and keeps secret."""
    key = lab.on(MANAGER, "sed", "-n", "2p", f"/etc/letsencrypt/live/{topology.DOMAIN}/privkey.pem")
    token, cookies = (lab.execute(HUB, "cat", file) for file in ("/run/secrets/PROXY_TOKEN", "/data/jupyterhub_cookie_secret"))
    return [Canary("the key of the certificate", key), Canary("PROXY_TOKEN", token), Canary("the cookies' secret", cookies)]


def _in_repository(lab: Lab, password: Canary) -> dict[str, str]:
    """Return how a backup is listed by restic itself."""
    image = lab.docker("image", "ls", "--quiet", f"{HUB}_restic", node=STORE).split()[0]
    restic = RESTIC.format(password=password.value, folder=FOLDER, image=image)
    return {f"restic {words}": lab.on(STORE, "sh", "-ec", f"{restic} {words}") for words in ("snapshots", "ls latest")}


def _is_certbots(name: str, where: str, process: Process) -> bool:
    """Tell whether it is the HTTP proxy's address in the environment of certbot."""
    return (name, where) == (PROXY, "environment") and "certbot" in process.arguments
