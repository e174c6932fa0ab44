"""The hub's image: what goes into it, the tag that follows from that, and its build."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.errors import SettingsError
from swarmhub.images import builder
from swarmhub.images.builder import Recipe
from swarmhub.images.hub import build as hub_image
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, settings

DOCKERFILE = "FROM scratch\nCOPY *.py userlist ./\nCOPY ca/ ca/\nCOPY conf.d/ conf.d/\nCOPY logo/ logo/\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with what goes into an image, and a userlist beside it."""
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "Dockerfile").write_text(DOCKERFILE)
    for name in ("config.py", "userlist"):
        (tmp_path / "hub" / name).write_text(f"the project's {name}\n")
    (tmp_path / "users").write_text("ada admin\ngrace\n")
    return tmp_path


def desired(folder: Path, **table: Any) -> Recipe:
    """Return the image to build from the folder."""
    return hub_image.desired(settings(hub={"userlist": str(folder / "users")} | table), folder / "hub")


def test_the_image_holds_the_folder_and_the_operators_userlist(folder: Path) -> None:
    """The userlist and the CA of hosts.toml; ca/, conf.d/ and logo/ are there, even empty."""
    (folder / "company.pem").write_text("-----BEGIN CERTIFICATE-----")
    assert desired(folder, ca=str(folder / "company.pem")).files == {
        "Dockerfile": DOCKERFILE.encode(),
        "config.py": b"the project's config.py\n",
        "userlist": b"ada admin\ngrace\n",
        "ca/.keep": b"",
        "ca/settings.crt": b"-----BEGIN CERTIFICATE-----",
        "conf.d/.keep": b"",
        "logo/.keep": b"",
    }


def test_the_folder_of_more_configuration_can_be_another(folder: Path) -> None:
    """The one that hub.conf names takes the place of the project's own."""
    for name in ("hub/conf.d", "mine"):
        (folder / name).mkdir()
        (folder / name / f"of-{Path(name).name}.py").write_text("c = get_config()\n")
    files = desired(folder, conf=str(folder / "mine")).files
    assert [name for name in sorted(files) if name.startswith("conf.d/")] == ["conf.d/.keep", "conf.d/of-mine.py"]


def with_logo(folder: Path, content: bytes) -> Recipe:
    """Return the image to build with a logo of this content."""
    (folder / "logo.any").write_bytes(content)
    given = settings(hub={"userlist": str(folder / "users")}, page={"logo": str(folder / "logo.any")})
    return hub_image.desired(given, folder / "hub")


def test_the_logo_goes_into_the_image_named_by_what_it_is(folder: Path) -> None:
    """Whatever its own name: the hub and browsers go by the ending; another one is another image."""
    content = b"\x89PNG\r\n\x1a\n..."
    assert with_logo(folder, content).files["logo/logo.png"] == content
    assert len({desired(folder).tag, with_logo(folder, b"\xff\xd8\xff1").tag, with_logo(folder, b"\xff\xd8\xff2").tag}) == 3


def test_a_logo_that_is_none_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is built, under the path that the operator would type."""
    monkeypatch.chdir(folder)
    with pytest.raises(SettingsError, match=r"^logo\.any:1: is no PNG, JPEG or SVG image; page\.logo names it$"):
        with_logo(folder, b"GIF89a")


@pytest.mark.parametrize("change", ["Dockerfile", "a_new_file.py", "userlist", "ca", "base"])
def test_the_tag_changes_with_whatever_goes_in(folder: Path, change: str) -> None:
    """Another file, userlist, CA or base image is another image."""
    before, table = desired(folder).tag, {}
    if change == "userlist":
        (folder / "users").write_text("ada admin\n")
    elif change == "ca":
        (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
        table = {"ca": str(folder / "ca.pem")}
    elif change == "base":
        table = {"base_image": "debian:sid-slim"}
    else:
        (folder / "hub" / change).write_text("another")
    assert desired(folder, **table).tag != before


@pytest.mark.parametrize("left", [".DS_Store", "conf.d/._10-mine.py", "conf.d/10-mine.py~", "notes.md"])
def test_what_a_machine_leaves_in_the_folder_makes_no_other_image(folder: Path, left: str) -> None:
    """Nor does a file that is not copied: both images would be built again, and the proxy would restart."""
    (folder / "hub/conf.d").mkdir()
    before = desired(folder).tag
    (folder / "hub" / left).write_text("another")
    assert desired(folder).tag == before


def test_the_tag_does_not_depend_on_where_the_userlist_is(folder: Path) -> None:
    """The same content gives the same image, named like the service; its version is the digest of what goes in."""
    (folder / "elsewhere").write_text((folder / "users").read_text())
    tag = desired(folder, service="hub").tag
    assert desired(folder, service="hub", userlist=str(folder / "elsewhere")).tag == tag
    assert (tag.partition(":")[0], len(tag.partition(":")[2])) == ("hub", 12)


def test_every_mistake_of_the_userlist_is_told_with_its_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is built, under the path that the operator would type: the whole one from elsewhere."""
    (folder / "users").write_text("ada admin\na b c\nADA\n")
    with pytest.raises(SettingsError, match=f"^{folder}/users:2: "):
        desired(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(SettingsError) as error:
        desired(folder)
    assert [str(problem).partition(": ")[0] for problem in error.value.problems] == ["users:2", "users:3"]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"hub": {"userlist": "/no/users"}}, r"/no/users:1: no such file or directory; it lists who may log in"),
        ({"hub": {"ca": "/no/ca"}}, "hub.ca names it"),
        ({"hub": {"conf": "/no/conf"}}, "conf:1: is no folder; hub.conf names it"),
        ({"page": {"logo": "/no/logo.svg"}}, ":1: no such file or directory; page.logo names it"),
        ({"page": {"logo": "/"}}, ":1: is a directory; page.logo names it"),
    ],
)
def test_a_file_that_is_not_there_is_told(folder: Path, tables: dict[str, dict[str, str]], said: str) -> None:
    """A misspelt path is a mistake of the settings, no empty folder and not JupyterHub's own logo."""
    hub = {"userlist": str(folder / "users")} | tables.get("hub", {})
    with pytest.raises(SettingsError, match=said):
        hub_image.desired(settings(**tables | {"hub": hub}), folder / "hub")


def test_the_projects_own_folder_makes_an_image(folder: Path) -> None:
    """What the repository holds for the image is read if no other folder is named."""
    files = hub_image.desired(settings(hub={"userlist": str(folder / "users")})).files
    assert {
        "Dockerfile",
        "jupyterhub_config.py",
        "config/configure.py",
        "engine.py",
        "spawner/spawner.py",
        "shared/people/userlist.py",
    } <= set(files)


def test_what_needs_the_internet_is_an_image_below_it(folder: Path) -> None:
    """Another userlist is built on the same one; its packages are in that, and nothing of it is downloaded above."""
    (folder / "other").write_text("ada admin\n")
    one, other = (hub_image.desired(settings(hub={"userlist": str(folder / name)})) for name in ("users", "other"))
    assert one.ground is not None
    assert other.ground is not None
    assert (one.ground.tag == other.ground.tag, one.tag == other.tag) == (True, False)
    assert {"requirements.lock", "package-lock.json", "packages.lock", "ca/.keep"} <= {*one.ground.files}
    assert {"requirements.lock", "userlist"} & {*one.files} == {"userlist"}
    above, below = (recipe.files["Dockerfile"].decode() for recipe in (one.ground, one))
    assert [word in above for word in ("apt-get", "npm ci", "pip install", "userlist")] == [True, True, True, False]
    assert [word in below for word in ("apt-get", "npm", "pip", "userlist")] == [False, False, False, True]
    assert (below.splitlines()[:2], one.bases) == (["ARG BASE", "FROM ${BASE}"], [one.ground.tag])


@pytest.mark.parametrize(("answers", "exists"), [({}, False), ({"GET /images/hub:1/json": {"Id": "sha256:1"}}, True)])
def test_the_manager_is_asked_whether_it_holds_the_image(answers: dict[str, Any], exists: bool) -> None:
    """An image that the engine does not know is not built yet."""
    assert builder.observe(FakeHost(answers=answers), "hub:1") is exists


IMAGE = Recipe("jupyterhub:0123456789ab", {"Dockerfile": b"FROM scratch\n"}, "debian:trixie-slim")


def test_an_image_that_is_there_is_not_built() -> None:
    """With the image on the manager there is nothing to do."""
    plan = builder.plan(hub_image.STEP, [IMAGE], [IMAGE.tag], MANAGER, {})
    assert (plan.changes, plan.summary) == ((), "jupyterhub:0123456789ab: built already")


def build(host: FakeHost, progress: FakeProgress, **variables: str) -> None:
    """Build the image on the host."""
    (change,) = builder.plan(
        hub_image.STEP, [IMAGE], [], MANAGER, {name: SecretStr(one) for name, one in variables.items()}
    ).changes
    change.apply(host, progress)


def test_the_build_is_sent_the_files_the_tag_and_the_base(progress: FakeProgress) -> None:
    """The engine gets the context as a tar, the tag to give, and what to build on."""
    host = FakeHost()
    build(host, progress)
    sent = host.engine.sent("POST /build")
    with tarfile.open(fileobj=io.BytesIO(sent.body)) as tar:
        names = tar.getnames()
    assert (names, sent.params["t"], sent.params["buildargs"]) == (["Dockerfile"], IMAGE.tag, {"BASE": "debian:trixie-slim"})


def test_the_build_goes_by_the_http_proxy(progress: FakeProgress) -> None:
    """As an argument that the builder keeps in no image."""
    host = FakeHost()
    build(host, progress, HTTPS_PROXY="http://proxy:3128")
    assert host.engine.sent("POST /build").params["buildargs"] == {"BASE": IMAGE.base, "HTTPS_PROXY": "http://proxy:3128"}


def test_the_build_shows_its_lines(progress: FakeProgress) -> None:
    """What the builder says is shown line by line, without blank lines and without events that are no text."""
    events = [
        {"stream": "Step 1/2 : FROM scratch\n"},
        {"stream": "\n"},
        {"aux": {"ID": "sha256:1"}},
        {"stream": "one\ntwo  \n"},
    ]
    build(FakeHost(answers={"POST /build": events}), progress)
    assert progress.outputs == [(f"{MANAGER} jupyterhub", line) for line in ("Step 1/2 : FROM scratch", "one", "two")]


def test_a_build_says_what_it_makes(folder: Path) -> None:
    """The tag and the base."""
    wanted = desired(folder)
    (change,) = builder.plan(hub_image.STEP, [wanted], [], MANAGER, {}).changes
    assert [(item.path, item.wanted) for item in change.differences] == [("tag", wanted.tag), ("base", wanted.base)]
