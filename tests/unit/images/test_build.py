"""The hub's image: what goes into it, the tag that follows from that, and its build."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from swarmhub.errors import SettingsError
from swarmhub.host import EngineError
from swarmhub.images import build as hub_image
from swarmhub.images.build import HubImage
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress, settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with what goes into an image, and a userlist beside it."""
    (tmp_path / "hub").mkdir()
    for name in ("Dockerfile", "config.py", "userlist"):
        (tmp_path / "hub" / name).write_text(f"the project's {name}\n")
    (tmp_path / "users").write_text("ada admin\ngrace\n")
    return tmp_path


def desired(folder: Path, **table: Any) -> HubImage:
    """Return the image to build from the folder."""
    return hub_image.desired(settings(hub={"userlist": str(folder / "users")} | table), folder / "hub")


def test_the_image_holds_the_folder_and_the_operators_userlist(folder: Path) -> None:
    """The userlist that hosts.toml names takes the place of the project's own; ca/, conf.d/ and logo/ are there, even empty."""
    assert desired(folder).files == {
        "Dockerfile": b"the project's Dockerfile\n",
        "config.py": b"the project's config.py\n",
        "userlist": b"ada admin\ngrace\n",
        "ca/.keep": b"",
        "conf.d/.keep": b"",
        "logo/.keep": b"",
    }


def test_the_cas_to_trust_go_into_the_image(folder: Path) -> None:
    """The file that hub.ca names is in ca/, with the ending that the system looks for."""
    (folder / "company.pem").write_text("the CA")
    assert desired(folder, ca=str(folder / "company.pem")).files["ca/settings.crt"] == b"the CA"


def test_the_folder_of_more_configuration_can_be_another(folder: Path) -> None:
    """The one that hub.conf names takes the place of the project's own."""
    for name in ("hub/conf.d", "mine"):
        (folder / name).mkdir()
        (folder / name / f"of-{Path(name).name}.py").write_text("c = get_config()\n")
    files = desired(folder, conf=str(folder / "mine")).files
    assert [name for name in sorted(files) if name.startswith("conf.d/")] == ["conf.d/.keep", "conf.d/of-mine.py"]


def test_a_folder_of_more_configuration_that_is_none_is_told(folder: Path) -> None:
    """A misspelt path is not an empty folder."""
    with pytest.raises(SettingsError, match=r"none:1: is no folder; hub\.conf names it"):
        desired(folder, conf=str(folder / "none"))


def with_logo(folder: Path, content: bytes) -> HubImage:
    """Return the image to build with a logo of this content."""
    (folder / "logo.any").write_bytes(content)
    given = settings(hub={"userlist": str(folder / "users")}, page={"logo": str(folder / "logo.any")})
    return hub_image.desired(given, folder / "hub")


def test_the_logo_goes_into_the_image_named_by_what_it_is(folder: Path) -> None:
    """Whatever its own name: the hub and browsers go by the ending."""
    content = b"\x89PNG\r\n\x1a\n..."
    assert with_logo(folder, content).files["logo/logo.png"] == content


def test_another_logo_is_another_image(folder: Path) -> None:
    """It is a file like any other."""
    assert len({desired(folder).tag, with_logo(folder, b"\xff\xd8\xff1").tag, with_logo(folder, b"\xff\xd8\xff2").tag}) == 3


def test_a_logo_that_is_none_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is built, under the path that the operator would type."""
    monkeypatch.chdir(folder)
    with pytest.raises(SettingsError, match=r"^logo\.any:1: is no PNG, JPEG or SVG image; page\.logo names it$"):
        with_logo(folder, b"GIF89a")


@pytest.mark.parametrize(("name", "said"), [("none.svg", "no such file or directory"), ("", "is a directory")])
def test_a_logo_that_cannot_be_read_is_told(folder: Path, name: str, said: str) -> None:
    """A misspelt path is not JupyterHub's own logo."""
    given = settings(hub={"userlist": str(folder / "users")}, page={"logo": str(folder / name)})
    with pytest.raises(SettingsError, match=f":1: {said}; page.logo names it"):
        hub_image.desired(given, folder / "hub")


def test_the_tag_is_stable(folder: Path) -> None:
    """The same inputs have the same tag: nothing is built."""
    assert desired(folder).tag == desired(folder).tag


def test_the_tag_has_the_services_name(folder: Path) -> None:
    """The image is named like the service, and its version is the digest of what goes in."""
    name, _, version = desired(folder, service="hub").tag.partition(":")
    assert (name, len(version)) == ("hub", 12)


@pytest.mark.parametrize("change", ["Dockerfile", "a new file", "userlist", "ca", "base"])
def test_the_tag_changes_with_whatever_goes_in(folder: Path, change: str) -> None:
    """Another file, userlist, CA or base image is another image."""
    before, table = desired(folder).tag, {}
    if change == "userlist":
        (folder / "users").write_text("ada admin\n")
    elif change == "ca":
        (folder / "ca.pem").write_text("the CA")
        table = {"ca": str(folder / "ca.pem")}
    elif change == "base":
        table = {"base_image": "debian:sid-slim"}
    else:
        (folder / "hub" / change).write_text("another")
    assert desired(folder, **table).tag != before


def test_the_tag_does_not_depend_on_where_the_userlist_is(folder: Path) -> None:
    """A userlist with the same content in another place gives the same image."""
    (folder / "elsewhere").write_text((folder / "users").read_text())
    assert desired(folder, userlist=str(folder / "elsewhere")).tag == desired(folder).tag


def test_every_mistake_of_the_userlist_is_told_with_its_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes are found before anything is built, under the path that the operator would type."""
    (folder / "users").write_text("ada admin\na b c\nADA\n")
    monkeypatch.chdir(folder)
    with pytest.raises(SettingsError) as error:
        desired(folder)
    assert [str(problem).partition(": ")[0] for problem in error.value.problems] == ["users:2", "users:3"]


def test_a_userlist_elsewhere_is_named_by_its_whole_path(folder: Path) -> None:
    """A file outside the folder one is in is named so that one finds it."""
    (folder / "users").write_text("")
    with pytest.raises(SettingsError, match=f"^{folder}/users:1: names no admin"):
        desired(folder)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"userlist": "/no/users"}, r"/no/users:1: no such file or directory; it lists who may log in"),
        ({"ca": "/no/ca"}, "hub.ca names it"),
    ],
)
def test_a_file_that_is_not_there_is_told(folder: Path, table: dict[str, str], said: str) -> None:
    """A userlist or CA file that is missing is a mistake of the settings."""
    with pytest.raises(SettingsError, match=said):
        desired(folder, **table)


def test_the_projects_own_folder_makes_an_image(folder: Path) -> None:
    """What the repository holds for the image is read if no other folder is named."""
    files = hub_image.desired(settings(hub={"userlist": str(folder / "users")})).files
    assert {
        "Dockerfile",
        "jupyterhub_config.py",
        "config/configure.py",
        "spawner/engine.py",
        "shared/userlist.py",
        "requirements.lock",
    } <= set(files)


@pytest.mark.parametrize(("answers", "exists"), [({}, False), ({"GET /images/hub:1/json": {"Id": "sha256:1"}}, True)])
def test_the_manager_is_asked_whether_it_holds_the_image(answers: dict[str, Any], exists: bool) -> None:
    """An image that the engine does not know is not built yet."""
    assert hub_image.observe(FakeHost(answers=answers), "hub:1") is exists


IMAGE = HubImage("jupyterhub:0123456789ab", {"Dockerfile": b"FROM scratch\n"}, "debian:trixie-slim")


def test_an_image_that_is_there_is_not_built() -> None:
    """With the image on the manager there is nothing to do."""
    plan = hub_image.plan([IMAGE], [IMAGE.tag], MANAGER)
    assert (plan.changes, plan.summary) == ((), "jupyterhub:0123456789ab: built already")


def build(host: FakeHost, progress: FakeProgress) -> None:
    """Build the image on the host."""
    (change,) = hub_image.plan([IMAGE], [], MANAGER).changes
    change.apply(host, progress)


def test_the_build_is_sent_the_files_the_tag_and_the_base(progress: FakeProgress) -> None:
    """The engine gets the context as a tar, the tag to give, and what to build on."""
    host = FakeHost()
    build(host, progress)
    sent = host.engine.sent("POST /build")
    with tarfile.open(fileobj=io.BytesIO(sent.body)) as tar:
        names = tar.getnames()
    assert (names, sent.params["t"], sent.params["buildargs"]) == (["Dockerfile"], IMAGE.tag, {"BASE": "debian:trixie-slim"})


def test_the_build_shows_its_lines(progress: FakeProgress) -> None:
    """What the builder says is shown line by line, without blank lines and without events that are no text."""
    events = [
        {"stream": "Step 1/2 : FROM scratch\n"},
        {"stream": "\n"},
        {"aux": {"ID": "sha256:1"}},
        {"stream": "one\ntwo  \n"},
    ]
    build(FakeHost(answers={"POST /build": events}), progress)
    assert progress.outputs == [(MANAGER, line) for line in ("Step 1/2 : FROM scratch", "one", "two")]


def test_a_build_that_fails_is_not_swallowed(progress: FakeProgress) -> None:
    """An error of the builder ends the change."""
    failure = EngineError(MANAGER, 500, "The command '/bin/sh -c npm ci' returned a non-zero code: 1")
    with pytest.raises(EngineError, match="returned a non-zero code"):
        build(FakeHost(answers={"POST /build": failure}), progress)


def test_a_build_says_what_it_makes(folder: Path) -> None:
    """The tag and the base."""
    wanted = desired(folder)
    (change,) = hub_image.plan([wanted], [], MANAGER).changes
    assert [(item.path, item.wanted) for item in change.differences] == [("tag", wanted.tag), ("base", wanted.base)]
