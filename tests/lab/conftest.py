"""The lab that all tests here share: up once, wiped once, left as it was found."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from lab import machine, topology, up
from swarmhub.people.api import HubApi
from tests.lab import configured, empty, furnished, going_back, grouped
from tests.lab.browsing import FLAGS
from tests.lab.counting import server_of_ada
from tests.lab.empty import Listing
from tests.lab.forks import Forks
from tests.lab.going_back import WayBack
from tests.lab.ledger import LEDGER
from tests.lab.support import BIN, ROOT, Done, Lab, Settings, variant

HERE = Path(__file__).parent
# Hundreds of times `fab` would compile all of swarmhub anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# These deploy variants of lab/hosts.toml, which the next one need not take back; all others ask for lab/hosts.toml itself.
FIRST = ("browser", "browser_notebooks", "browser_page", "homes", "config", "spawner", "certs", "proxy")
# These end with a variant, and with nothing that is deployed.
LAST = ("managers", "users", "takeover", "teardown", "bundle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files into an order in which little has to be deployed in between."""
    first = {name: place - len(FIRST) for place, name in enumerate(FIRST)}
    places = first | {name: place for place, name in enumerate(LAST, 1)}
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    ours.sort(key=lambda item: places.get(item.path.stem.removeprefix("test_"), 0))
    items[:] = [item for item in items if not item.path.is_relative_to(HERE)] + ours


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a test as on the first lab: all workers have to know it by one name."""
    return topology.on_first(val)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over to the run what one of its workers has counted."""
    with_output = getattr(session.config, "workeroutput", None)
    if with_output is not None:
        with_output["seconds"] = dict(LEDGER.seconds)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker has counted to what others have."""
    for name, seconds in getattr(node, "workeroutput", {}).get("seconds", {}).items():
        LEDGER.seconds[name] += seconds


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the seconds went."""
    if LEDGER.seconds:
        terminalreporter.section("where the seconds went")
        for line in LEDGER.table():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Bring the lab up and wipe what was deployed on it; take down what was not up before."""
    machine.install_missing({"ssh-keygen": "openssh-client"}, print)
    was_up = all(state.startswith("Up") for _, state, _ in up.status())
    done = subprocess.run([str(BIN / "fab"), "lab.up"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        # With 2, a worker ends the whole run: without a lab there is nothing to try.
        pytest.exit(f"the lab does not come up: {done.stdout}{done.stderr}", returncode=2)
    client = machine.connect()
    assert client is not None
    with closing(Forks()) as forks:
        shared = Lab(client, forks.run)
        empty.make(shared)
        yield shared
    if not was_up:
        subprocess.run([str(BIN / "fab"), "lab.down"], cwd=ROOT, check=True, timeout=300)


@pytest.fixture(scope="session")
def first_listing(lab: Lab) -> Listing:
    """List all that nodes and swarm hold before the first deploy."""
    return empty.listing(lab)


@pytest.fixture(scope="session")
def group_hosts(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a hosts.toml that logs in as a user of the docker group: root may do more than a deploy is to need."""
    return grouped.make(lab, tmp_path_factory.mktemp("group"))


@pytest.fixture(scope="session")
def first_plan(lab: Lab, first_listing: Listing, group_hosts: Path) -> Done:
    """Plan a deploy on a lab that holds nothing of ours."""
    return lab.fab("plan", "--json", hosts=group_hosts)


@pytest.fixture(scope="session")
def first_deploy(lab: Lab, first_plan: Done, group_hosts: Path) -> Done:
    """Deploy on a lab that holds nothing of ours, after a plan, which leaves it so."""
    return lab.fab("-H", "swarm-manager1", "deploy", hosts=group_hosts)


@pytest.fixture(scope="session")
def first_history(lab: Lab, first_deploy: Done) -> Done:
    """Return the history after the first deploy."""
    return lab.fab("history", "--json")


@pytest.fixture(scope="session")
def used(lab: Lab, first_deploy: Done, first_history: Done) -> Lab:
    """Give the lab with whatever was deployed last: to what deploys a variant of its own."""
    assert first_deploy.code == 0, first_deploy.text
    return lab


@pytest.fixture(scope="module")
def settled(used: Lab) -> Lab:
    """Give a module's own fixtures the deployed lab."""
    used.let_stand()
    return used


@pytest.fixture
def deployed(used: Lab) -> Lab:
    """Give a test the deployed lab; what an earlier one left otherwise is deployed again."""
    used.let_stand()
    return used


@pytest.fixture(scope="session")
def furnished_hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a hosts.toml with all that people see and choose from."""
    return furnished.make(tmp_path_factory.mktemp("furnished"))


@pytest.fixture(scope="session")
def configured_hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a hosts.toml with a service of one's own, culled servers, and users whose servers fail."""
    return configured.make(tmp_path_factory.mktemp("configured"))


@pytest.fixture(scope="module", name="furnished")
def _furnished(used: Lab, furnished_hosts: Path) -> Lab:
    """Give a module's tests the lab with a name, a logo, texts, and profiles: two for all, one for staff."""
    used.let_stand(furnished_hosts)
    return used


@pytest.fixture(scope="session")
def way_back(used: Lab, tmp_path_factory: pytest.TempPathFactory) -> WayBack:
    """Deploy something else, and go back with the database; the lab is as it was then."""
    used.let_stand()
    return going_back.go(used, tmp_path_factory.mktemp("way"))


@pytest.fixture
def server(used: Lab) -> Iterator[HubApi]:
    """Start Ada's server, and ask it as she would."""
    with server_of_ada(used) as found:
        yield found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Make a variant of lab/hosts.toml: each pair of texts is replaced, which must be there."""

    def make(*replaced: tuple[str, str], ssh: Callable[[str], str] | None = None) -> Path:
        return variant(tmp_path, *replaced, ssh=ssh)

    return make


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium; a test tool's own download is not to be had everywhere."""
    machine.install_missing({"chromium": "chromium"}, print)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give a test a browser that nobody is logged in with."""
    # Chromium has no per-profile trust on the command line; that TLS verifies is test_deploy's matter.
    fresh = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    fresh.set_default_timeout(30_000)
    yield fresh
    fresh.close()
