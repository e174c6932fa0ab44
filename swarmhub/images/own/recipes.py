"""The notebook images that the settings let build: what goes into each, and the tag that follows from that."""

import posixpath
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hub.shared.servers.choice import slug
from swarmhub.engine import context
from swarmhub.errors import Problem, SettingsError
from swarmhub.images.builder import Recipe, authorities, shown
from swarmhub.images.own import dockerfile, folder
from swarmhub.images.own.dockerfile import APT, CONDA, LISTS, PACKAGES, PIP
from swarmhub.images.own.folder import DOCKERFILE, Folder
from swarmhub.images.pull import LABEL
from swarmhub.settings import Settings
from swarmhub.settings.schema.clashes.volumes import Key
from swarmhub.settings.schema.notebook import Notebook, Profile

NOTEBOOK: Key = ("notebook",)
NO_DOCKERFILE = f"has no {DOCKERFILE} and none of {', '.join(LISTS)}"


def wanted(settings: Settings, file: Path) -> dict[Key, Recipe]:
    """Read the folders that the settings name, and return what is built by the table that asks for it.

    A profile that names no image of its own is built on [notebook]'s, which may itself be built; so it comes after that.

    Raises:
        SettingsError: with every mistake, at its line of the settings or of a file in the folder.

    """
    found: dict[Key, Recipe] = {}
    problems: list[Problem] = []
    tables: list[tuple[Key, Notebook | Profile]] = [(NOTEBOOK, settings.notebook)]
    tables += [(("profiles", place), one) for place, one in enumerate(settings.profiles)]
    below = settings.notebook.image
    for key, table in tables:
        if not table.is_built:
            continue
        try:
            found[key] = _recipe(settings, table, key, table.image or below, file)
        except SettingsError as error:
            problems += error.problems
        if key == NOTEBOOK:
            # What is wrong with it is told once, and not of each that is built on it.
            below = found[key].tag if key in found else "notebook"
    if problems:
        raise SettingsError(*problems)
    return found


def settled(settings: Settings, recipes: dict[Key, Recipe]) -> Settings:
    """Return the settings with each image that is built by its tag: to all else it is an image like any other."""
    if not recipes:
        return settings
    notebook, profiles = settings.notebook, list(settings.profiles)
    for key, recipe in recipes.items():
        if key == NOTEBOOK:
            notebook = notebook.model_copy(update={"image": recipe.tag})
        else:
            place = int(key[1])
            profiles[place] = profiles[place].model_copy(update={"image": recipe.tag})
    return settings.model_copy(update={"notebook": notebook, "profiles": tuple(profiles)})


def _recipe(settings: Settings, table: Notebook | Profile, key: Key, base: str, file: Path) -> Recipe:
    suffix = f"-{slug(table.name)}" if isinstance(table, Profile) else ""
    name = f"{settings.hub.service}-notebook{suffix}"
    read = _read(table.build, (*key, "build"), file) if table.build else Folder({})
    own = DOCKERFILE in read.files
    if own:
        _refuse_besides_a_dockerfile(table, key, file)
        base, gist = "", f"from {shown(table.build)}/{DOCKERFILE}"
    elif table.build and not {*LISTS} & read.files.keys():
        raise SettingsError(_problem(file, (*key, "build"), f"{shown(table.build)} {NO_DOCKERFILE}"))
    elif not base:
        wrong = f"is missing: {shown(table.build)} has no {DOCKERFILE}, so it is installed on an image"
        raise SettingsError(_problem(file, (*key, "image"), wrong))
    else:
        gist = f"{_listed(table, read)} on {base}"
    trusted = authorities(settings)
    files = {**trusted, **_normal(table, read, own=own)}
    # By it an image is known for one that no registry has, and what a build has left is found.
    label = f"{LABEL}={name}"
    if own:
        files[DOCKERFILE] = dockerfile.labelled(files[DOCKERFILE].decode(), label).encode()
    else:
        files[DOCKERFILE] = dockerfile.made([*files], _apt(read), label, trusts=bool(trusted)).encode()
    arguments = dict(table.build_args)
    more = [base, *(f"{one}={value}" for one, value in sorted(arguments.items()))]
    more += [*sorted(read.executable), *(f"{one}->{to}" for one, to in sorted(read.links.items()))]
    return Recipe(
        f"{name}:{context.digest(files, *more)}",
        files,
        base,
        gist=gist,
        arguments=arguments,
        executable=read.executable,
        links=read.links,
        source=_source(table, own=own),
        has_command=bool(table.command or settings.notebook.command),
        is_notebook=True,
    )


def _read(of: Path, key: Key, file: Path) -> Folder:
    try:
        read = folder.read(of)
    except OSError as error:
        raise SettingsError(_problem(file, key, f"{error.filename}: {(error.strerror or str(error)).lower()}")) from None
    except ValueError as error:
        raise SettingsError(_problem(file, key, f"{shown(of)}: {error}")) from None
    read_here = () if DOCKERFILE in read.files else (DOCKERFILE, *LISTS)
    if linked := next((name for name in read_here if name in read.links), ""):
        wrong = f"{shown(of)}/{linked} is a link to {read.links[linked]}, which no build follows: put the file itself there"
        raise SettingsError(_problem(file, key, wrong))
    if problems := [Problem(f"{shown(of)}/{name}", line, "", wrong) for name, line, wrong in _wrongs(read)]:
        raise SettingsError(*problems)
    return read


def _wrongs(read: Folder) -> Iterator[tuple[str, int, str]]:
    """Yield each mistake in the files that are read here, by file and line."""
    looks: dict[str, Callable[[str], Iterable[tuple[int, str]]]] = {
        APT: lambda text: dockerfile.apt_packages(text)[1],
        **dict.fromkeys(_requirements(read), dockerfile.wrong_requirements),
        CONDA: dockerfile.passwords,  # conda itself says what it cannot read
        DOCKERFILE: dockerfile.passwords,
    }
    for name, look in looks.items():
        if name in read.files and (DOCKERFILE not in read.files or name == DOCKERFILE):
            try:
                yield from ((name, line, wrong) for line, wrong in look(folder.text(read.files[name])))
            except ValueError as error:
                yield name, 1, str(error)


def _requirements(read: Folder) -> dict[str, None]:
    """Return the lists that pip reads: requirements.txt, and in turn those that one of them includes."""
    found: dict[str, None] = {}
    left = [PIP]
    while left:
        name = left.pop()
        if name in read.files and name not in found:
            found[name] = None
            more = dockerfile.included(read.files[name].decode("utf-8-sig", "replace"))
            left += [posixpath.normpath(posixpath.join(posixpath.dirname(name), one)) for one in more]
    return found


def _normal(table: Notebook | Profile, read: Folder, *, own: bool) -> dict[str, bytes]:
    """Return the files as they are sent: those that are read here as Linux has texts."""
    texts = [DOCKERFILE] if own else [*LISTS]
    files = {**read.files, **{name: folder.text(read.files[name]).encode() for name in texts if name in read.files}}
    if table.packages:
        files[PACKAGES] = "".join(f"{one}\n" for one in table.packages).encode()
    return files


def _apt(read: Folder) -> list[str]:
    return dockerfile.apt_packages(folder.text(read.files[APT]))[0] if APT in read.files else []


def _refuse_besides_a_dockerfile(table: Notebook | Profile, key: Key, file: Path) -> None:
    wrong = f"{shown(table.build)} has a {DOCKERFILE}, which says it: remove one of the two"
    if problems := [_problem(file, (*key, name), wrong) for name in ("image", "packages") if getattr(table, name)]:
        raise SettingsError(*problems)


def _listed(table: Notebook | Profile, read: Folder) -> str:
    """Return what is installed, as a line of a plan says it."""
    lists = [f"{shown(table.build)}/{name}" for name in LISTS if name in read.files]
    return ", ".join([*lists, *table.packages])


def _source(table: Notebook | Profile, *, own: bool) -> str:
    """Return what an operator changes when the build fails."""
    if table.build:
        return f"{shown(table.build)}/{DOCKERFILE}" if own else f"the files in {shown(table.build)}"
    return "packages in hosts.toml"


def _problem(file: Path, key: Key, wrong: str) -> Problem:
    from swarmhub.settings.lines import problem  # only a broken file pays for the parser

    return problem(file, key, wrong)
