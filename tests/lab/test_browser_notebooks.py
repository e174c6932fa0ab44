"""What people see before and while a server starts, and when it does not; in headless Chromium."""

import json
import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from lab import topology
from tests.lab.browsing import SPAWN_MS, log_in, picture, stop_server
from tests.lab.support import HUB, Lab

START = """async profile => {
    const headers = {'X-XSRFToken': jhdata.xsrf_token, 'Content-Type': 'application/json'};
    const options = {method: 'POST', headers, body: JSON.stringify({profile})};
    const answer = await fetch(`/hub/api/users/${jhdata.user}/server`, options);
    return [answer.status, (await answer.json()).message];
}"""


@pytest.fixture(scope="module", autouse=True)
def _without_choices_made_elsewhere(furnished: Lab) -> None:
    """Let the hub forget what Grace chose where there was something else: it would be told her as not offered here."""
    furnished.hub_api("DELETE", "users/grace")


def choices(page: Page) -> list[str]:
    """Go to the page on which a server is chosen, and return the names there."""
    page.goto(f"{topology.HUB_URL}/hub/spawn")
    return page.locator("fieldset strong").all_inner_texts()


def test_people_choose_among_what_their_groups_may_have(furnished: Lab, context: BrowserContext) -> None:
    """The page holds what the user may start, the first preselected; the hub holds to it where the page is passed by."""
    page = log_in(context, "grace")
    assert choices(page) == ["Exercises", "Projects"]
    expect(page.get_by_role("radio", name="Exercises")).to_be_checked()
    picture(page, "profiles")
    refused = "Simulations is for members of staff. You can choose Exercises or Projects."
    assert page.evaluate(START, "simulations") == [403, refused]


def test_the_server_that_was_chosen_starts_and_the_page_says_how_far_it_is(furnished: Lab, context: BrowserContext) -> None:
    """Chosen with the keyboard; the pending page names the node; the service has the profile's sizes."""
    page = log_in(context, "grace")
    choices(page)
    page.get_by_role("radio", name="Exercises").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Projects")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.locator("#progress-message")).to_contain_text(re.compile("swarm-(manager|worker)[12]"))
    picture(page, "progress")
    page.wait_for_url("**/user/grace/lab**", timeout=SPAWN_MS)
    spec = json.loads(furnished.docker("service", "inspect", f"{HUB}-grace", "--format", "{{json .Spec}}"))
    assert spec["Labels"]["swarmhub.profile"] == "Projects"
    assert spec["TaskTemplate"]["Resources"]["Limits"] == {"NanoCPUs": 2_000_000_000, "MemoryBytes": 2**30, "Pids": 500}
    assert furnished.in_server("grace", "df --block-size=1M --output=size /dev/shm").split()[-1] == "128"
    container = spec["TaskTemplate"]["ContainerSpec"]
    assert container["Image"].startswith("registry.lab:5000/notebook-extra@sha256:")
    assert "COURSE=projects" in container["Env"]
    stop_server(page, "grace")


def test_a_start_that_fails_says_why_and_how_to_go_on(furnished: Lab, context: BrowserContext) -> None:
    """A server that no node has room for: the reason at once and on later visits, and from there back to the choices."""
    page = log_in(context, "ada")
    assert choices(page) == ["Exercises", "Projects", "Simulations"]
    page.get_by_role("radio", name="Simulations").check()
    page.get_by_role("button", name="Start").click()
    reason = "No node has 900 GB of memory free at the moment."
    expect(page.locator(".alert-danger").first).to_contain_text(reason)
    page.goto(f"{topology.HUB_URL}/user/ada/lab")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your server did not start")
    expect(page.locator(".alert-danger").first).to_contain_text(reason)
    picture(page, "failed")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("radio", name="Simulations")).to_be_checked()
