"""Who is let in and who is out, at a hub that goes on running: over its API, and in the browser."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from lab import containers, topology
from tests.lab.browsing import log_in, picture, refused, start_server
from tests.lab.support import HUB, Lab, Settings, typed
from tests.lab.tokens import status_of, token_of

MAX_SECONDS = 60
FILES = "async () => (await fetch('/user/grace/api/contents')).url"

Write = Callable[[str], Path]


@pytest.fixture(scope="module", autouse=True)
def _listed_alone(settled: Lab) -> None:
    """Forget whom other tests have brought in, or have taken off a list, and the homes that they have left."""
    settled.forget_homes()
    for one in json.loads(settled.hub_api("GET", "users")):
        if one["name"] not in {"ada", "grace"}:
            settled.hub_api("DELETE", f"users/{one['name']}")


@pytest.fixture
def write(deployed: Lab, settings: Settings, tmp_path: Path) -> Iterator[Write]:
    """Return what writes a userlist, and gives the settings that name it; in the end the lab's own is in force again."""
    file = tmp_path / "users"

    def put(text: str) -> Path:
        file.write_text(text)
        return settings(('"userlist"', f'"{file}"'))

    yield put
    done = deployed.fab("users-sync", "--yes")
    assert done.code == 0, done.text
    deployed.forget_homes()


def of_grace(lab: Lab) -> str:
    """Return the ids of Grace's services."""
    return lab.docker("service", "ls", "-q", "--filter", f"name={HUB}-grace")


def shown(lab: Lab, hosts: Path | str = topology.HOSTS) -> dict[str, dict[str, object]]:
    """Return what `fab users` says, by name."""
    done = lab.fab("users", "--json", hosts=hosts)
    assert done.code == 0, done.text
    return {one["name"]: one for one in json.loads(done.out)}


def test_who_is_added_and_removed_is_so_within_a_minute(deployed: Lab, write: Write) -> None:
    """Grace's token, admin rights and server are gone, her home is not; Linus is in; the hub is the same."""
    service, hosts = deployed.service_version(), write("ada admin\ngrace admin\n")
    assert deployed.fab("users-sync", hosts=hosts).code == 0
    deployed.start_server("grace")
    node, token = deployed.node_of("grace"), token_of(deployed, "grace")
    home = deployed.homes(node)
    assert (shown(deployed, hosts)["grace"]["admin"], status_of(deployed, token), len(home)) == (True, 200, 1)
    started = time.monotonic()
    done = deployed.fab("users-sync", "--yes", hosts=write("ada admin\nlinus\n"))
    assert (done.code, time.monotonic() - started < MAX_SECONDS) == (0, True), done.text
    assert "remove grace from the hub on swarm-manager1 (notebooks stop: 1 (grace))" in done.out
    assert (status_of(deployed, token), of_grace(deployed)) == (403, "")
    assert (deployed.homes(node), deployed.service_version()) == (home, service)
    after = shown(deployed, hosts)
    assert (after["linus"]["from"], after["linus"]["last_seen"], "grace" in after) == ("userlist", None, False)
    again = deployed.fab("users-sync", hosts=hosts)
    assert (again.code, "the hub is in line with the userlist: 2 people" in again.out) == (0, True), again.text


def test_who_is_removed_stays_out_over_a_restart(deployed: Lab, write: Write) -> None:
    """The image still names Grace; the list that was sent is the newer one."""
    assert deployed.fab("users-sync", "--yes", hosts=write("ada admin\nlinus\n")).code == 0
    container = deployed.container()
    deployed.docker("rm", "--force", container)
    deployed.wait(deployed.hub_answers, 60, "the hub does not come back")
    assert {one["name"] for one in json.loads(deployed.hub_api("GET", "users"))} == {"ada", "linus"}


def test_nobody_is_removed_unasked(deployed: Lab, write: Write) -> None:
    """Who it would be is said first; without an answer, or with a no, Grace stays."""
    hosts = write("ada admin\n")
    unasked = deployed.fab("users-sync", hosts=hosts)
    assert (unasked.code, "Remove grace? Their servers stop" in unasked.err) == (2, True), unasked.text
    declined = typed("users-sync", when="their files stay", keys=b"n\n", hosts=hosts)
    assert (declined.code, "grace" in shown(deployed)) == (2, True), declined.text


def test_whom_the_console_added_stays(deployed: Lab, write: Write) -> None:
    """No list has named Linus."""
    deployed.hub_api("POST", "users/linus")
    try:
        assert deployed.fab("users-sync", "--yes", hosts=write("ada admin\n")).code == 0
        assert {name: one["from"] for name, one in shown(deployed).items()} == {"ada": "userlist", "linus": "console"}
    finally:
        deployed.hub_api("DELETE", "users/linus")


def test_in_the_browser_who_is_removed_is_out_and_who_is_added_gets_in(
    deployed: Lab, write: Write, browser: Browser, context: BrowserContext
) -> None:
    """Grace's open notebook page stops working and she is refused; Linus, who was refused, gets in."""
    refused(log_in(context, "linus"))
    with browser.new_context(ignore_https_errors=True) as of_grace:
        page = log_in(of_grace, "grace")
        start_server(page, "grace")
        assert str(page.evaluate(FILES)).endswith("/user/grace/api/contents")
        done = deployed.fab("users-sync", "--yes", hosts=write("ada admin\nlinus\n"))
        assert done.code == 0, done.text
        # As the page itself asks for her files: the hub sends it to the login.
        assert "/hub/login" in page.evaluate(FILES)
        page.goto(f"{topology.HUB_URL}/hub/home")
        expect(page.get_by_text("Sign in with GitHub").first).to_be_visible()
        picture(page, "removed")
        refused(log_in(of_grace, "grace"))
    expect(log_in(context, "linus").locator("#start")).to_be_visible()


def test_members_of_organisations_and_teams_get_in_by_a_deploy(
    deployed: Lab, settings: Settings, tmp_path: Path, browser: Browser, context: BrowserContext
) -> None:
    """Whom the list names no more the deploy removes, as it has shown; Grace gets in again as of a team, Barbara as of another
    organisation, and Mallory, who is of the team's organisation but not of the team, does not.
    """
    users = tmp_path / "users"
    users.write_text("ada admin\n")
    hosts = settings(
        ('"userlist"', f'"{users}"'),
        (
            "[certs]",
            '[access]\norganizations = ["physics"]\nteams = ["lab:course"]\noptions = {auth_refresh_age = 1}\n\n[certs]',
        ),
    )
    try:
        done = deployed.fab("deploy", "--yes", hosts=hosts)
        assert (done.code, done.out.count("remove grace from the hub")) == (0, 2), done.text
        assert "grace" not in shown(deployed, hosts)
        expect(log_in(context, "grace").locator("#start")).to_be_visible()
        with browser.new_context(ignore_https_errors=True) as elsewhere:
            refused(log_in(elsewhere, "mallory"))
            expect(log_in(elsewhere, "barbara").locator("#start")).to_be_visible()
        now = shown(deployed, hosts)
        assert (now["grace"]["from"], now["barbara"]["from"], "mallory" in now) == ("organisation", "organisation", False)
        assert deployed.fab("users-sync", hosts=hosts).code == 0
        assert "grace" in shown(deployed, hosts)
        # The stand-in forgets what it has given to whom: as if each had withdrawn it, or were somebody else now.
        of_ada, of_barbara = token_of(deployed, "ada"), token_of(deployed, "barbara")
        assert (status_of(deployed, of_ada), status_of(deployed, of_barbara)) == (200, 200)
        deployed.client.restart(containers.container_name("github"), timeout=1)
        deployed.wait(lambda: status_of(deployed, of_barbara) == 403, 30, "a member is not asked about again")
        assert status_of(deployed, of_ada) == 200
    finally:
        deployed.hub_api("DELETE", "users/barbara")


ELSEWHERE = """[access]
provider = "generic-oauth"

[access.options]
login_service = "the University"
client_id = {secret = "GITHUB_CLIENT_ID"}
client_secret = {secret = "GITHUB_CLIENT_SECRET"}
authorize_url = "URL/login/oauth/authorize"
token_url = "URL/login/oauth/access_token"
userdata_url = "URL/api/v3/user"
username_claim = "login"

[certs]"""


def test_five_thousand_people_log_in_at_another_provider(
    used: Lab, settings: Settings, tmp_path: Path, browser: Browser, context: BrowserContext
) -> None:
    """By its own name on the login page and by the userlist, whose names are mail addresses, and all are in a group. The plan
    has few lines, nothing is left to do, and the provider's secret stands in no spec. The many people cost some 10 s.
    """
    people = [f"student-{number:04}@physics.example.org" for number in range(5000)]
    users = tmp_path / "users"
    users.write_text("\n".join(["ada admin", "grace", *people, ""]))
    names = ('state/oauth.env"', 'state/oauth.env"\nnames = ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"]')
    tables = f"[groups]\ncourse = {json.dumps(people)}\n\n{ELSEWHERE}"
    at = ("[certs]", tables.replace("URL", topology.GITHUB_URL))
    hosts = settings(names, ('"userlist"', f'"{users}"'), at)
    done = used.fab("deploy", "--yes", hosts=hosts)
    assert (done.code, len(done.out.splitlines()) < 150) == (0, True), done.text
    assert len(json.loads(used.hub_api("GET", "groups/course"))["users"]) == len(people)
    assert "plan       nothing to change" in used.fab("plan", hosts=hosts).out
    expect(log_in(context, "grace", at="the University").locator("#start")).to_be_visible()
    with browser.new_context(ignore_https_errors=True) as elsewhere:
        refused(log_in(elsewhere, "mallory", at="the University"))
    kept = dict(line.partition("=")[::2] for line in (topology.STATE / "oauth.env").read_text().splitlines())
    assert kept["GITHUB_CLIENT_SECRET"] not in used.docker("service", "inspect", HUB)
