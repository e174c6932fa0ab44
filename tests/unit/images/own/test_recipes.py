"""Notebook images of one's own: what goes in, the tag that follows, and what is refused with its line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarmhub.errors import SettingsError
from swarmhub.images.builder import Recipe
from swarmhub.images.own import recipes
from swarmhub.images.own.dockerfile import PACKAGES
from swarmhub.settings import load
from tests.unit.support.cluster import HOSTS_TOML
from tests.unit.support.fakes import EXTRA, NOTEBOOK, settings

IMAGE = f'image = "{NOTEBOOK}"'
Make = Callable[..., dict[Any, Recipe]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for an image, below the one where one is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def made(notebook: str = IMAGE, more: str = "", hub: str = "") -> dict[Any, Recipe]:
    """Return what is built by a hosts.toml with these lines."""
    file = Path("hosts.toml")
    file.write_text(HOSTS_TOML.replace(IMAGE, notebook).replace("[hub]\n", f"[hub]\n{hub}") + more)
    return recipes.wanted(load(file), file)


def wrong(notebook: str, more: str = "") -> list[str]:
    """Return what is said of these lines."""
    with pytest.raises(SettingsError) as error:
        made(notebook, more)
    return [str(problem) for problem in error.value.problems]


def only(found: dict[Any, Recipe]) -> Recipe:
    """Return the only image."""
    (one,) = found.values()
    return one


def test_without_a_word_of_it_nothing_is_built() -> None:
    """And the settings stay what they are."""
    given = settings()
    assert recipes.wanted(given, Path("hosts.toml")) == {}
    assert recipes.settled(given, {}) is given


def test_packages_are_installed_on_the_image(folder: Path) -> None:
    """From a file, whose lines no shell reads; the plan says what and upon what."""
    one = only(made(f'{IMAGE}\npackages = ["numpy>=2", "six"]'))
    assert (one.files[PACKAGES], one.base, one.bases) == (b"numpy>=2\nsix\n", NOTEBOOK, [NOTEBOOK])
    assert (one.gist, one.source) == (f"numpy>=2, six on {NOTEBOOK}", "packages in hosts.toml")
    assert b"numpy" not in one.files["Dockerfile"]


def test_a_ca_is_copied_only_where_there_is_one(folder: Path) -> None:
    """A step that copies a folder which is not sent would end every build."""
    (folder.parent / "company.pem").write_text("-----BEGIN CERTIFICATE-----")
    without, trusting = (only(made(f'{IMAGE}\npackages = ["six"]', hub=hub)) for hub in ("", 'ca = "company.pem"\n'))
    assert (b"COPY ca/" in without.files["Dockerfile"], "ca/settings.crt" in without.files) == (False, False)
    assert (b"COPY ca/" in trusting.files["Dockerfile"], "ca/settings.crt" in trusting.files) == (True, True)


def test_a_folder_with_lists_is_installed_on_the_image(folder: Path) -> None:
    """As Linux has texts, whichever editor wrote them."""
    (folder / "requirements.txt").write_bytes(b"\xef\xbb\xbfsix\r\n")
    (folder / "apt.txt").write_text("tree\n")
    one = only(made(f'{IMAGE}\nbuild = "mine"'))
    assert (one.files["requirements.txt"], one.gist) == (b"six\n", f"mine/apt.txt, mine/requirements.txt on {NOTEBOOK}")
    assert b"--no-install-recommends tree " in one.files["Dockerfile"]


def test_no_other_list_of_a_folder_is_installed(folder: Path) -> None:
    """A packages.txt is another tool's, and may name Debian's packages; that of hosts.toml takes the place of none."""
    (folder / "packages.txt").write_text("libgl1\n")
    (folder / "requirements.txt").write_text("six\n")
    one = only(made(f'{IMAGE}\nbuild = "mine"\npackages = ["idna"]'))
    assert (one.files["packages.txt"], one.files[PACKAGES]) == (b"libgl1\n", b"idna\n")
    assert f" -r requirements.txt -r {PACKAGES};".encode() in one.files["Dockerfile"]
    assert b" -r requirements.txt;" in only(made(f'{IMAGE}\nbuild = "mine"')).files["Dockerfile"]


@pytest.mark.parametrize("name", ["Dockerfile", "requirements.txt", "apt.txt", "environment.yml"])
def test_a_link_in_the_place_of_what_is_read_is_told(folder: Path, name: str) -> None:
    """It may lead out of the folder; that there is no such file would be no answer."""
    (folder.parent / "elsewhere").write_text("six\n")
    (folder / name).symlink_to("../elsewhere")
    with pytest.raises(SettingsError, match=f"mine/{name} is a link to ../elsewhere, which no build follows"):
        made(f'{IMAGE}\nbuild = "mine"')


def test_a_dockerfile_is_built_as_it_is(folder: Path) -> None:
    """But for the label by which it is known; with its arguments."""
    (folder / "Dockerfile").write_text("ARG V\nFROM a:1\nCOPY run /")
    (folder / "run").write_bytes(b"x\r\n")
    (folder / "run").chmod(0o755)
    one = only(made('build = "mine"\nbuild_args = {V = "1"}'))
    assert one.files["Dockerfile"] == b"ARG V\nFROM a:1\nCOPY run /\nLABEL swarmhub.image=jupyterhub-notebook\n"
    assert (one.files["run"], one.executable, one.given, one.gist) == (
        b"x\r\n",
        frozenset({"run"}),
        {"V": "1"},
        "from mine/Dockerfile",
    )


def test_the_tag_is_what_goes_in(folder: Path) -> None:
    """A file, its name, whether it may be run, an argument or the base makes another image; nothing else does."""
    file = folder / "Dockerfile"
    file.write_text("FROM a:1")

    def tag(lines: str = "") -> str:
        return only(made(f'build = "mine"\n{lines}')).tag

    first = tag()
    (folder / "x~").write_text("an editor's")
    assert (tag(), first.partition(":")[0], len(first.partition(":")[2])) == (first, "jupyterhub-notebook", 12)
    tags = {first, tag('build_args = {V = "1"}')}
    (folder / "more").write_text("x")
    tags.add(tag())
    (folder / "more").chmod(0o755)
    tags.add(tag())
    (folder / "more").rename(folder / "other")
    tags.add(tag())
    (folder / "link").symlink_to("other")
    tags.add(tag())
    file.unlink()
    (folder / "requirements.txt").write_text("six")
    tags |= {only(made(f'{image}\nbuild = "mine"')).tag for image in (IMAGE, f'image = "{EXTRA}"')}
    assert len(tags) == 8


def test_a_profile_is_built_on_the_image_for_all(folder: Path) -> None:
    """Which may itself be built: another one below makes another one above; or on its own, where it names one."""
    more = '\n[[profiles]]\nname = "Deep Learning"\npackages = ["six"]\n[[profiles]]\nname = "B"\n' + (
        f'image = "{EXTRA}"\npackages = ["six"]\n[[profiles]]\nname = "C"\n'
    )
    found = made(f'{IMAGE}\npackages = ["idna"]', more)
    first, second, third = found.values()
    assert [one.name for one in found.values()] == [f"jupyterhub-notebook{end}" for end in ("", "-deep-learning", "-b")]
    assert (second.base, third.base) == (first.tag, EXTRA)
    assert made(f'{IMAGE}\npackages = ["idna<4"]', more)["profiles", 0].tag != second.tag


def test_to_all_else_a_built_image_is_one_like_any_other(folder: Path) -> None:
    """Servers, pulls, labels and releases go by its tag."""
    more = '\n[[profiles]]\nname = "A"\npackages = ["six"]\n[[profiles]]\nname = "B"\n'
    found = made(more=more)
    settled = recipes.settled(load(Path("hosts.toml")), found)
    assert settled.images == (NOTEBOOK, found["profiles", 0].tag)
    assert [one.image for one in settled.profiles] == [found["profiles", 0].tag, None]


@pytest.mark.parametrize(
    ("lines", "files", "said"),
    [
        ('default_url = "/lab"', {}, "hosts.toml:12: notebook.image: is missing: The image, such as"),
        ('build = "none"', {}, "hosts.toml:13: notebook.build: none: there is no such folder"),
        ('build = "mine"', {}, "hosts.toml:13: notebook.build: mine: the folder is empty"),
        ('build = "mine"', {"x": "y"}, "hosts.toml:13: notebook.build: mine has no Dockerfile and none of apt.txt"),
        ('build = "mine"', {"apt.txt": "tree"}, "hosts.toml:12: notebook.image: is missing: mine has no Dockerfile"),
        (f'{IMAGE}\nbuild = "mine"', {"Dockerfile": "FROM a"}, "hosts.toml:13: notebook.image: mine has a Dockerfile"),
        ('build = "mine"\npackages = ["a"]', {"Dockerfile": "FROM a"}, "hosts.toml:14: notebook.packages: mine has a"),
        (f'{IMAGE}\nbuild = "mine"', {"requirements.txt": "a\n$(id)\n"}, "mine/requirements.txt:2: '$(id)' is no Python"),
        (f'{IMAGE}\nbuild = "mine"', {"apt.txt": "a;b\n"}, "mine/apt.txt:1: 'a;b' is no Debian package"),
        (f'{IMAGE}\nbuild = "mine"', {"environment.yml": "- https://a:b@c/"}, "mine/environment.yml:1: has an address"),
        ('build = "mine"', {"Dockerfile": "FROM a\nRUN curl https://a:b@c/x"}, "mine/Dockerfile:2: has an address"),
    ],
)
def test_mistakes_are_told_with_their_lines(folder: Path, lines: str, files: dict[str, str], said: str) -> None:
    """Before anything is connected to."""
    for name, text in files.items():
        (folder / name).write_text(text)
    (found,) = wrong(lines)
    assert found.startswith(said)


def test_what_is_wrong_below_is_told_once(folder: Path) -> None:
    """Profiles that are built on it are told for their own mistakes alone."""
    (folder / "apt.txt").write_text("tree")
    more = '\n[[profiles]]\nname = "A"\npackages = ["six"]\n[[profiles]]\nname = "B"\nbuild = "none"\n'
    first, second = wrong('build = "mine"', more)
    assert first.startswith("hosts.toml:12: notebook.image: is missing: mine has no Dockerfile")
    assert second.startswith("hosts.toml:20: profiles.1.build: none: there is no such folder")


def test_a_list_that_another_one_includes_is_read_too(folder: Path) -> None:
    """It is sent with the others; two that include each other are read once."""
    (folder / "lists").mkdir()
    (folder / "requirements.txt").write_text("-r lists/a.txt\n--constraint=none.txt  # elsewhere\n")
    (folder / "lists" / "a.txt").write_text("six\n-c b.txt\n")
    (folder / "lists" / "b.txt").write_text("-r ../requirements.txt\n-i https://ada:hush@example.org/\n")
    (folder / "notes.txt").write_text("https://ada:hush@example.org/\n")
    (said,) = wrong(f'{IMAGE}\nbuild = "mine"')
    assert said.startswith("mine/lists/b.txt:2: has an address with a password")


def test_a_text_in_another_code_is_told(folder: Path) -> None:
    """Editors on Windows write UTF-16."""
    (folder / "requirements.txt").write_bytes("six".encode("utf-16"))
    assert wrong(f'{IMAGE}\nbuild = "mine"') == ["mine/requirements.txt:1: is not UTF-8; save it as UTF-8"]


def test_a_file_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its name and the system's reason."""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (folder / "Dockerfile").write_text("FROM a")
    file = Path("hosts.toml")
    file.write_text(HOSTS_TOML.replace(IMAGE, 'build = "mine"'))
    given = load(file)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SettingsError, match=r"notebook\.build: .*/mine/Dockerfile: permission denied"):
        recipes.wanted(given, file)
