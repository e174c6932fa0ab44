"""Time backups against restic by hand, and the way back of a hub that is lost, on a deployed lab.

    python -m bench.backup [ROUNDS]

Homes with 1 GB in 10,000 files of random bytes are on one worker, and the repository is on the other one, by SFTP. In each
round a `fab backup` makes a repository and saves the hub and the homes, and restic alone makes one and saves the homes: in a
container of the same image on the node; who is first changes from round to round. Then both
save again, with nothing new. At last the hub's service, volume and certificate are removed, and come back by `fab restore`
and `fab deploy` until somebody logs in. The first backup does not count: it builds restic's image and brings it to the nodes.
What the bench has made is removed in the end.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from lab import containers, machine, topology
from swarmhub import settings as settings_file
from swarmhub.engine import context
from swarmhub.images import restic
from tests.lab import forks
from tests.lab.browsing import FLAGS, log_in
from tests.lab.scripts import REMOVE_HOME
from tests.lab.support import BIN, HUB, ROOT, Lab, variant

WORKER, STORE = (node.name for node in topology.WORKERS)
HOMES, FILES, SIZE = 10, 1000, 100_000
FOLDER, PASSWORD = "/srv/bench-backup", "of-the-bench"
KEY = "bench-key"
WRITE = f"""
import os, pathlib
for folder in pathlib.Path('/homes').iterdir():
    for number in range({FILES}):
        place = folder / f'd{{number // 100}}'
        place.mkdir(exist_ok=True)
        (place / f'{{number}}.bin').write_bytes(os.urandom({SIZE}))
"""
# The same network, cache and host's name from run to run, as swarmhub gives them.
BY_HAND = (
    *("run", "--rm", "--network", "host", "--hostname", WORKER, "--entrypoint", "restic"),
    *("-v", f"/root/{KEY}:/key:ro", "-v", f"{KEY}-cache:/root/.cache"),
    *("-e", f"RESTIC_PASSWORD={PASSWORD}", "-e", f"RESTIC_REPOSITORY=sftp:root@{STORE}:{FOLDER}"),
)
WITH_KEY = ("-o", "sftp.args=-i /key -o StrictHostKeyChecking=no", "--quiet")
LOSE = f"docker ps -aq --filter volume={HUB}-data | xargs -r docker rm --force && docker volume rm {HUB}-data"
FAB, HAND, SECOND_FAB, SECOND_HAND = "fab backup", "restic by hand", "fab backup, nothing new", "restic, nothing new"
RESTORE, DEPLOY, LOGIN, WHOLE = "fab restore", "fab deploy", "a login", "from the command to the login"


@dataclass(frozen=True)
class Bench:
    """The lab, a hosts.toml with homes in backups and one without, the image of restic, and what has been measured."""

    lab: Lab
    hosts: Path
    without: Path
    image: str
    taken: dict[str, list[float]]

    def timed(self, name: str, work: Callable[[], object]) -> None:
        """Do something and write down its seconds."""
        started = time.perf_counter()
        work()
        self.taken.setdefault(name, []).append(time.perf_counter() - started)

    def fab(self, *words: str, homes: bool = True) -> None:
        """Run `fab` as an operator would."""
        given = {"SWARMHUB_HOSTS": str(self.hosts if homes else self.without), "BACKUP_PASSWORD": PASSWORD}
        done = subprocess.run(
            [str(BIN / "fab"), *words], cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])

    def restic(self, *words: str) -> str:
        """Run restic on the node, in a container with its homes, and return what it says."""
        mounts = [word for name in volumes() for word in ("-v", f"{name}:/homes/{name}:ro")]
        return self.lab.docker(*BY_HAND, *mounts, self.image, *WITH_KEY, *words, node=WORKER)

    def forget(self) -> None:
        """Remove the repository."""
        self.lab.on(STORE, "rm", "-rf", FOLDER)


def main(rounds: int) -> None:
    """Measure and print."""
    client = machine.connect()
    if client is None:
        sys.exit("no Docker Engine answers: fab lab.up")
    lab = Lab(client, forks.execute)
    with ExitStack() as stack:
        bench = stack.enter_context(_prepared(lab))
        print(f"load of this machine: {os.getloadavg()[0]:.1f}")
        for number in range(rounds):
            _backups(bench, hand_first=bool(number % 2))
        print(f"\n{HOMES * FILES * SIZE / 1e9:.0f} GB in {HOMES * FILES} files, {rounds} runs each, in turn")
        _print(bench, {FAB: HAND, HAND: HAND, SECOND_FAB: SECOND_HAND, SECOND_HAND: SECOND_HAND})
        browser = stack.enter_context(_browser())
        for _ in range(rounds):
            _way_back(bench, browser)
        print(f"\na hub that is lost, without homes, {rounds} runs")
        _print(bench, dict.fromkeys((RESTORE, DEPLOY, LOGIN, WHOLE), WHOLE))
        print(f"load of this machine: {os.getloadavg()[0]:.1f}")


def _backups(bench: Bench, *, hand_first: bool) -> None:
    """Save the same in two ways, each into a repository of its own, then again."""
    ways = [partial(_by_fab, bench), partial(_by_hand, bench)]
    for way in reversed(ways) if hand_first else ways:
        bench.forget()
        way()


def _by_fab(bench: Bench) -> None:
    bench.timed(FAB, lambda: bench.fab("backup"))
    bench.timed(SECOND_FAB, lambda: bench.fab("backup"))


def _by_hand(bench: Bench) -> None:
    bench.timed(HAND, lambda: [bench.restic(*words) for words in (("init",), ("backup", "/homes"))])
    bench.timed(SECOND_HAND, lambda: bench.restic("backup", "/homes"))


def _way_back(bench: Bench, browser: Browser) -> None:
    """Lose the hub, put it back, and log in; somebody who was logged in before still is."""
    bench.forget()
    with _somebody(browser) as before, _somebody(browser) as now:
        page = log_in(before, "grace")
        bench.fab("backup", homes=False)
        _lose(bench.lab)
        started = time.perf_counter()
        bench.timed(RESTORE, lambda: bench.fab("restore", "--yes", homes=False))
        bench.timed(DEPLOY, lambda: bench.fab("deploy", "--yes", homes=False))
        bench.timed(LOGIN, lambda: log_in(now, "grace"))
        bench.taken.setdefault(WHOLE, []).append(time.perf_counter() - started)
        page.goto(f"{topology.HUB_URL}/hub/home")
        expect(page.locator("#start, #stop").first).to_be_visible()


def _lose(lab: Lab) -> None:
    """Remove the hub's service, its volume and its certificate."""
    lab.docker("service", "rm", HUB)
    lab.wait(lambda: not lab.container(), 60, "the hub's container does not end")
    lab.on(topology.MANAGER.name, "sh", "-ec", LOSE)
    lab.forget_certificate()


def _print(bench: Bench, rows: dict[str, str]) -> None:
    print(f"{'':<32} {'median':>8} {'fastest':>8} {'slowest':>8}  of")
    for name, base in rows.items():
        seconds, ratio = bench.taken[name], statistics.median(bench.taken[name]) / statistics.median(bench.taken[base])
        print(
            f"{name:<32} {statistics.median(seconds):>7.1f}s {min(seconds):>7.1f}s {max(seconds):>7.1f}s"
            f"  {ratio:.2f} {base if base != name else ''}".rstrip(),
            flush=True,
        )


def volumes() -> list[str]:
    """Return the names of the homes' volumes."""
    return [f"{HUB}-home-bench{number}" for number in range(HOMES)]


@contextmanager
def _prepared(lab: Lab) -> Iterator[Bench]:
    """Make homes, two hosts.toml and restic's image, and remove all but the image in the end."""
    with tempfile.TemporaryDirectory() as folder:
        hosts, without = (_hosts(Path(folder), name) for name in ("with", "without"))
        bench = Bench(lab, hosts, without, restic.recipe(settings_file.load(hosts)).tag, {})
        key = (topology.STATE / "ssh_key").read_bytes()
        try:
            lab.client.put_archive(containers.container_name(WORKER), "/root", context.archive({KEY: key}, mode=0o600))
            _make_homes(lab)
            bench.forget()
            bench.fab("backup", homes=False)
            yield bench
        finally:
            bench.forget()
            for name in volumes():
                lab.on(WORKER, "sh", "-c", REMOVE_HOME, name)
            lab.docker("volume", "rm", "--force", f"{KEY}-cache", node=WORKER)
            lab.on(WORKER, "rm", "-f", f"/root/{KEY}")


def _make_homes(lab: Lab) -> None:
    for number, name in enumerate(volumes()):
        labels = ("--label", f"swarmhub.home={HUB}", "--label", f"swarmhub.user=bench{number}")
        lab.docker("volume", "create", *labels, name, node=WORKER)
    mounts = [word for name in volumes() for word in ("-v", f"{name}:/homes/{name}")]
    image = settings_file.load(ROOT / topology.HOSTS).images[0]
    lab.docker("run", "--rm", "--user", "0", "--entrypoint", "python3", *mounts, image, "-c", WRITE, node=WORKER)


def _hosts(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    key = (topology.STATE / f"{STORE}.ssh_host_key.pub").read_text().split()
    (place / "known_hosts").write_text(f"{STORE} {key[0]} {key[1]}\n")
    files = f'ssh_key = "state/ssh_key"\nssh_known_hosts = "{place / "known_hosts"}"\n'
    homes = f"homes = {'true' if name == 'with' else 'false'}\n"
    return variant(place, ("[hub]", f'[backup]\nrepository = "sftp:root@{STORE}:{FOLDER}"\n{files}{homes}\n[hub]'))


@contextmanager
def _browser() -> Iterator[Browser]:
    machine.install_missing({"chromium": "chromium"}, print)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def _somebody(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(ignore_https_errors=True)
    made.set_default_timeout(60_000)
    yield made
    made.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
