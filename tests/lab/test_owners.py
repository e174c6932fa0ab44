"""Homes as an institute's file servers have them: each person's own number, CIFS, root_squash, and images with another home.

One hub update and five starts: some 40 seconds.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab import topology
from tests.lab.support import REAL, STUB, Lab, variant

WORKER = topology.WORKERS[0].name
# On the list of numbers; the last one is not.
USER, OTHER, STRANGER = "grace", "linus", "barbara"
HOMES, LESSONS = "/mnt/shared/owned", "/mnt/shared/lessons"
EXTRA = 'name = "Extra tools"\n'
STUB_PATH = 'environment = {PATH = "/opt/stub/bin:/opt/venv/bin:/usr/bin:/bin"}\n'
TABLES = f"""
[home]
type = "path"
path = "{HOMES}"

[owners]
passwd = "passwd"
group = "group"

[[folders]]
type = "path"
path = "{LESSONS}"
mount = "/home/jovyan/lessons"

[github]
"""
PASSWD = f"root:x:0:0:root:/root:/bin/sh\n{USER}:x:20002:20100::/:\n{OTHER}:x:20003:20100::/:\n"
GROUP = f"team:x:20300:{USER}\n"
# FS_IOC_SETFLAGS with FS_IMMUTABLE_FL, or with nothing: root may write nothing there, as below an export with root_squash.
FLAGS = 'open(D, "<", $ARGV[0]) && ioctl(D, 0x40086602, pack("l!", $ARGV[1])) or die $!'
# A kernel of the server that runs, as JupyterLab starts one; what it prints comes over its own sockets.
KERNEL = """
import json, os, urllib.request
from jupyter_client import BlockingKernelClient
from jupyter_core.paths import jupyter_runtime_dir
url = "http://127.0.0.1:8888" + os.environ["JUPYTERHUB_SERVICE_PREFIX"] + "api/kernels"
head = {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}
made = json.load(urllib.request.urlopen(urllib.request.Request(url, b"{}", head, method="POST"), timeout=60))
client = BlockingKernelClient(connection_file=f"{jupyter_runtime_dir()}/kernel-{made['id']}.json")
client.load_connection_file()
client.start_channels(hb=False)
client.execute_interactive("print(6 * 7)", timeout=60)
"""


@pytest.fixture(scope="module")
def owned(used: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Deploy homes with numbers of people's own, and a profile whose image has its home elsewhere."""
    folder = tmp_path_factory.mktemp("owners")
    (folder / "passwd").write_text(PASSWD)
    (folder / "group").write_text(GROUP)
    elsewhere = f'{EXTRA}home_mount = "/srv/home"\n{STUB_PATH}'
    used.on(WORKER, "sh", "-c", f"mkdir -p {HOMES} {LESSONS}; echo one > {LESSONS}/one")
    done = used.fab("deploy", hosts=variant(folder, ("[github]\n", TABLES), (EXTRA, elsewhere)))
    assert done.code == 0, done.text
    yield used
    for user in (USER, OTHER):
        used.stop_server(user)
    used.on(WORKER, "rm", "-rf", HOMES, LESSONS)


@contextmanager
def as_cifs(lab: Lab, uid: int) -> Iterator[None]:
    """Let a node have the homes as a CIFS mount has them: one owner, mode 0755, and a chmod that changes nothing."""
    assert "\tfuse\n" in lab.on(WORKER, "cat", "/proc/filesystems"), "this kernel has no FUSE"
    forced = f"--force-user={uid} --force-group=100 --perms=0755 --chmod-ignore --chown-ignore -o allow_other"
    lab.on(WORKER, "sh", "-c", f"[ -e /dev/fuse ] || mknod /dev/fuse c 10 229; bindfs {forced} {HOMES} {HOMES}")
    try:
        yield
    finally:
        lab.on(WORKER, "umount", "-l", HOMES)


@contextmanager
def squashed(lab: Lab, folder: str) -> Iterator[None]:
    """Let root write nothing in a folder for a while."""
    lab.on(WORKER, "perl", "-e", FLAGS, folder, "16")
    try:
        yield
    finally:
        lab.on(WORKER, "perl", "-e", FLAGS, folder, "0")


def test_a_server_runs_as_its_users_own_number(owned: Lab) -> None:
    """With the groups, in a home that is made for it; what is written is the user's; programs know home and name."""
    owned.start_server(USER, on=WORKER)
    said = owned.in_server(
        USER, "id -u; id -G; echo $HOME; python3 -c 'import getpass; print(getpass.getuser())'; echo x > mine"
    )
    assert said.splitlines() == ["20002", "20100 20300", "/home/jovyan", USER]
    assert owned.on(WORKER, "stat", "-c", "%u:%g %a", f"{HOMES}/{USER}") == "20002:20100 700"
    assert owned.on(WORKER, "stat", "-c", "%u:%g", f"{HOMES}/{USER}/mine") == "20002:20100"
    owned.stop_server(USER)


def test_who_has_no_number_has_no_server(owned: Lab) -> None:
    """Any other number could be somebody's; no folder is made."""
    assert owned.ask_for_server(STRANGER, profile=STUB).startswith("Your account has no number (UID) that this hub may use")
    assert STRANGER not in owned.on(WORKER, "ls", HOMES)


def test_a_home_is_where_its_image_has_it(owned: Lab) -> None:
    """The same files, at the place that the profile says."""
    owned.start_server(USER, profile="Extra tools", on=WORKER)
    assert owned.in_server(USER, "cat /srv/home/mine; echo $HOME").splitlines() == ["x", "/srv/home"]
    owned.stop_server(USER)


def test_a_shared_folder_that_has_no_place_in_a_home_is_told(owned: Lab) -> None:
    """Where root may write nothing, Docker cannot make it; with the place there, the server starts."""
    home = f"{HOMES}/{OTHER}"
    owned.on(WORKER, "sh", "-c", f"mkdir -m 700 {home} && chown 20003 {home}")
    with squashed(owned, home):
        said = owned.ask_for_server(OTHER, profile=STUB, on=WORKER)
    assert said.startswith("The folder /home/jovyan/lessons has no place in your files yet")
    owned.on(WORKER, "mkdir", f"{home}/lessons")
    with squashed(owned, home):
        owned.start_server(OTHER, on=WORKER)
        assert owned.in_server(OTHER, "cat lessons/one") == "one"


def test_a_kernel_runs_on_cifs(owned: Lab) -> None:
    """Its connection file, which nobody else may read, is not in the home, where every file has mode 0755."""
    code = base64.b64encode(KERNEL.encode()).decode()
    with as_cifs(owned, 20002):
        owned.start_server(USER, profile=REAL, on=WORKER)
        said = owned.in_server(USER, f"touch k; chmod 600 k; stat -c %a k; echo {code} | base64 -d | python - 2>&1 | tail -1")
        owned.stop_server(USER)
    assert said.splitlines() == ["755", "42"]
