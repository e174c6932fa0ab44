"""Do what only root may on a host: directly where the user may, and else in a container, as the docker group permits."""

import io
import posixpath
import tarfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus

from swarmhub.engine import containers, context
from swarmhub.errors import StepError
from swarmhub.host import EngineError, Host, Json, Output
from swarmhub.parallel import together

LABEL = "root"
REMEDY = "Log in as root, or set ssh.sudo = true in hosts.toml"
EMPTY_IMAGE = "swarmhub-empty:1"
CONTENT = "/swarmhub-content"
# The container borrows the host's `chroot`, with what it links to, and runs the command in the host's own file system.
BORROWED = ("/bin", "/sbin", "/usr", "/lib", "/lib64")
HOST = "/swarmhub-host"
SCRIPT = f'exec chroot {HOST} "$@"'
WITH_CONTENT = f"{SCRIPT} < {CONTENT}"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MOST_LINKS = 8


def run(host: Host, *argv: str, content: bytes | None = None) -> Output:
    """Run a command, with `content` as its standard input, in a container where this user may not do what it does.

    What a container prints is all in the output.

    Raises:
        StepError: neither way is open.

    """
    done = host.run(*argv) if content is None else host.send(content, *argv)
    return in_container(host, *argv, content=content) if is_refused(done) else done


def is_refused(done: Output) -> bool:
    """Tell whether a command failed because this user may not do what it does."""
    return bool(done.code) and any(said in done.err for said in ("Permission denied", "Operation not permitted"))


def read(host: Host, *paths: str, folder: str) -> list[str | None]:
    """Return the text of files, or None for one that is not there; all are in or below `folder`.

    Where this user may not read them, a container that has the folder is made and never started: that takes a fifth of
    the time in which one runs.
    """
    found = together([partial(host.run, "cat", path) for path in paths])
    if any(is_refused(done) for done in found):
        with _holding(host, folder) as container:
            copied = [_copied(host, container, path) for path in paths]
        return [None if one is None else one.decode(errors="replace") for one in copied]
    return [None if done.code else done.out for done in found]


def size(host: Host, path: str, *, folder: str) -> int | None:
    """Return the bytes of a file that this user may not have to read, or None where there is none."""
    done = host.run("stat", "-Lc", "%s", path)
    if is_refused(done):
        with _holding(host, folder) as container:
            found = _copied(host, container, path)
        return None if found is None else len(found)
    return None if done.code else int(done.out)


def in_container(host: Host, *argv: str, content: bytes | None = None) -> Output:
    """Run a command as root in the host's own file system, by a container.

    Raises:
        StepError: the engine does not permit it either.

    """
    files = None if content is None else {CONTENT[1:]: content}
    with _body(host, argv, has_content=files is not None) as body:
        return containers.once(host, body, files=files, mode=0o600)


def lines(host: Host, *argv: str, patience: float | None) -> Generator[str, None, int]:
    """Do the same, yield the lines as they come, and return the exit code; `patience` is how many seconds it may be silent."""
    with _body(host, argv, has_content=False) as body:
        return (yield from containers.lines(host, body, patience=patience))


@contextmanager
def _body(host: Host, argv: Sequence[str], *, has_content: bool) -> Iterator[Json]:
    folders = host.run("ls", "-d", *BORROWED).out.split()
    with _explained(host, f"run {argv[0]} as root"), _any_image(host) as image:
        yield _made_from(image, folders, argv, has_content=has_content)


@contextmanager
def _explained(host: Host, what: str) -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        raise StepError(host.name, f"this user may not {what}, nor may a container: {error}", REMEDY) from error


def _made_from(image: str, folders: Sequence[str], argv: Sequence[str], *, has_content: bool) -> Json:
    binds = [_bind("/", HOST), *(_bind(folder, folder, read_only=True) for folder in folders)]
    return {
        "Image": image,
        "User": "0",
        "Env": [PATH, "LC_ALL=C"],
        "Entrypoint": ["sh", "-c", WITH_CONTENT if has_content else SCRIPT, "sh"],
        "Cmd": [*argv],
        "Labels": {"swarmhub": LABEL},
        # Where engines map root to another user, or SELinux confines containers, this one is not.
        "HostConfig": {"Mounts": binds, "NetworkMode": "none", "UsernsMode": "host", "SecurityOpt": ["label=disable"]},
    }


def _bind(source: str, target: str, *, read_only: bool = False) -> Mapping[str, object]:
    # As a mount: "Binds" makes a folder that is not there.
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}


@contextmanager
def _any_image(host: Host) -> Iterator[str]:
    """Give an image to make a container from: any that is there, since nothing of it is used; or an empty one, for so long."""
    there = host.engine.get("/images/json")
    if there:
        yield str(there[0]["Id"])
        return
    host.engine.load(context.image(EMPTY_IMAGE, host.engine.get("/version")["Arch"]))
    try:
        yield EMPTY_IMAGE
    finally:
        host.engine.delete(f"/images/{EMPTY_IMAGE}")


@contextmanager
def _holding(host: Host, folder: str) -> Iterator[str]:
    with _explained(host, f"read {folder}"), _any_image(host) as image:
        body = {
            "Image": image,
            "Cmd": ["none"],
            "Labels": {"swarmhub": LABEL},
            "HostConfig": {"Mounts": [_bind(folder, folder, read_only=True)], "NetworkMode": "none"},
        }
        with containers.made(host, body) as container:
            yield container


def _copied(host: Host, container: str, path: str) -> bytes | None:
    """Return a file's content in a container; where it is a link, the engine gives the link."""
    for _ in range(MOST_LINKS):
        try:
            packed = b"".join(host.engine.download(f"/containers/{container}/archive", path=path))
        except EngineError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            entry = tar.getmembers()[0]
            if not entry.issym():
                file = tar.extractfile(entry)
                return file.read() if file else None
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.linkname))
    return None
