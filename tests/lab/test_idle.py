"""Idle servers: work keeps one, people are told before theirs is stopped, and an announcement reaches them; in a browser.

It takes 90 s on what `tests/lab/configured.py` deploys: two starts, and 70 s in which nobody uses a server whose page is open.
"""

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from lab import topology
from tests.lab.browsing import log_in, picture
from tests.lab.configured import SECRETS
from tests.lab.support import HUB, REAL, Lab

# Run in a server, with its own token: a kernel is told to calculate without a word, and nobody stays.
WORK = """
import asyncio, json, os, urllib.request
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect
base = f"http://127.0.0.1:8888{os.environ['JUPYTERHUB_SERVICE_PREFIX']}"
headers = {"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"}
asked = urllib.request.Request(base + "api/kernels", headers=headers, data=b"{}", method="POST")
kernel = json.load(urllib.request.urlopen(asked))["id"]
header = {"msg_id": "1", "msg_type": "execute_request", "username": "", "session": "1", "version": "5.3", "date": ""}
content = {"code": "import time; time.sleep(600)", "silent": False, "store_history": False, "user_expressions": {}}
message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell", "content": content}

async def work():
    socket = await websocket_connect(HTTPRequest(f"ws{base[4:]}api/kernels/{kernel}/channels", headers=headers))
    await socket.write_message(json.dumps(message))
    while json.loads(await socket.read_message())["header"]["msg_type"] != "execute_input":
        pass

asyncio.run(asyncio.wait_for(work(), 30))
"""
# What a server asks the hub with its own token, about itself and about another one.
ASK = """
import json, os, urllib.error, urllib.request
def ask(path):
    headers = {"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}", "Content-Type": "application/json"}
    try:
        return urllib.request.urlopen(urllib.request.Request(os.environ["JUPYTERHUB_API_URL"] + path, b"{}", headers)).status
    except urllib.error.HTTPError as error:
        return error.code
print(json.dumps([ask("/swarmhub/users/grace/servers/"), ask("/swarmhub/users/hopper/servers/")]))
"""
TOLD = "Lunch is at noon."


@pytest.fixture(scope="module")
def culled(used: Lab, configured_hosts: Path) -> Lab:
    """Give the tests the lab with servers that are stopped after 40 s without use, or 60 s with an open page."""
    used.let_stand(configured_hosts, **SECRETS)
    return used


def runs(lab: Lab, user: str) -> bool:
    """Tell whether a user's server is there."""
    return f"{HUB}-{user}" in lab.docker("service", "ls", "--format", "{{.Name}}").split()


def test_people_are_told_and_work_goes_on(culled: Lab, configured_hosts: Path, context: BrowserContext) -> None:
    """An open page alone ends; the notice comes before and puts the stop off once; a kernel that says nothing goes on."""
    culled.start_server("hopper", profile=REAL)
    culled.in_server("hopper", f"python3 - <<'END'\n{WORK}\nEND")
    culled.start_server("grace", profile=REAL)
    page = log_in(context, "grace")
    page.goto(f"{topology.HUB_URL}/user/grace/lab")
    assert json.loads(culled.in_server("grace", f"python3 - <<'END'\n{ASK}\nEND")) == [200, 404]

    keep = page.get_by_role("button", name="Keep it running")
    done = culled.fab("announce", TOLD, hosts=configured_hosts, **SECRETS)
    assert done.code == 0, done.text
    expect(page.get_by_role("alert").filter(has_text=TOLD)).to_be_visible(timeout=30_000)
    # Nothing that takes long comes between: half a minute after the notice, the server has gone.
    expect(keep).to_be_visible(timeout=60_000)
    picture(page, "idle")
    keep.click()
    expect(keep).to_have_count(0)
    expect(page.get_by_text("This cannot be put off any more.")).to_be_visible(timeout=60_000)

    page.reload()
    expect(page.get_by_role("alert").filter(has_text=TOLD)).to_be_visible(timeout=30_000)

    home = context.new_page()
    home.goto(f"{topology.HUB_URL}/hub/home")
    expect(home.locator(".announcement")).to_have_text(TOLD)
    culled.fab("announce", "", hosts=configured_hosts, **SECRETS)
    home.reload()
    expect(home.locator(".announcement")).to_have_count(0)

    culled.wait(lambda: not runs(culled, "grace"), 60, "grace's server is not stopped, though nobody is at its page")
    assert runs(culled, "hopper")
    culled.stop_server("hopper")
    culled.hub_api("DELETE", "users/hopper")
    culled.forget_homes()
