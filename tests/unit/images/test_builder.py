"""Builds of images on a node, by BuildKit or by the engine's own builder; what fails says why."""

import io
import signal
import subprocess
import tarfile
from typing import Any

import pytest
from pydantic import SecretStr

from swarmhub.errors import StepError
from swarmhub.host import EngineError, Output
from swarmhub.images import builder
from swarmhub.images.builder import Recipe
from tests.unit.support.fakes import MANAGER, NOTEBOOK, FakeHost, FakeProgress, once

TAG = "jupyterhub-notebook:0123456789ab"
HELD = {f"GET /images/{NOTEBOOK}/json": {"Id": "sha256:1", "Config": {"User": "jovyan"}}}
FILES = {"Dockerfile": b"ARG BASE\nFROM ${BASE}\nARG BASE_USER\n", "run": b"x"}
IMAGE = Recipe(TAG, FILES, NOTEBOOK, executable=frozenset({"run"}), source="mine/Dockerfile", is_notebook=True)
SERVES = once("6.1.1")
BUILDX = {"docker buildx version": Output(0, "v0.13", "")}


def build(host: FakeHost, image: Recipe = IMAGE, **variables: str) -> FakeProgress:
    """Build an image on a host, as a step does."""
    progress = FakeProgress()
    given = {name: SecretStr(value) for name, value in variables.items()}
    (change,) = builder.plan("build-notebook", [image], [], MANAGER, given, lane="notebook").changes
    change.apply(host, progress)
    return progress


def buildkit(said: Output, **answers: Any) -> FakeHost:
    """Return a host that has BuildKit, which says this of a build."""
    host = FakeHost(answers={**HELD, **SERVES, **answers}, commands=BUILDX)
    run = host.run
    host.run = lambda *argv: said if argv[:2] == ("sh", "-c") else run(*argv)  # type: ignore[method-assign]
    return host


def refused(host: FakeHost, image: Recipe = IMAGE) -> StepError:
    """Return why a build fails."""
    with pytest.raises(StepError) as error:
        build(host, image)
    return error.value


def test_what_it_is_built_on_is_pulled_with_the_operators_login_first() -> None:
    """Where the node does not hold it: BuildKit would ask with the node's own login, and a wrong name is told as one."""
    host = FakeHost(answers=SERVES)
    build(host)
    assert host.engine.sent("POST /images/create").params == {"fromImage": NOTEBOOK.partition(":")[0], "tag": "hub-6.1.1"}
    held = FakeHost(answers={**HELD, **SERVES})
    build(held)
    assert "POST /images/create" not in held.engine.asked()


def test_a_tag_that_has_moved_is_pulled_by_its_new_digest() -> None:
    """Though the node holds the image that it named before."""
    host, now = FakeHost(answers={**HELD, **SERVES}), f"sha256:{'b' * 64}"
    build(host, Recipe(TAG, FILES, NOTEBOOK, is_notebook=True, moved={NOTEBOOK: now}))
    assert host.engine.sent("POST /images/create").params["tag"] == now


def test_an_image_that_is_built_just_before_is_not_pulled() -> None:
    """No registry has it."""
    below = Recipe("jupyterhub-notebook:1", FILES, NOTEBOOK)
    above = Recipe("jupyterhub-notebook-a:2", FILES, below.tag)
    host = FakeHost(answers=HELD)
    _, second = builder.plan("build-notebook", [below, above], [], MANAGER, lane="notebook").changes
    second.apply(host, FakeProgress())
    assert "POST /images/create" not in host.engine.asked()


def test_a_base_that_does_not_come_is_named() -> None:
    """With what helps."""
    host = FakeHost(answers={"POST /images/create": EngineError(MANAGER, 404, "manifest unknown")})
    assert str(refused(host)) == (
        f"{MANAGER}: cannot build {TAG}: {NOTEBOOK}, on which it is built, does not come: manifest unknown. "
        "Check the name and the tag"
    )


def test_the_engines_own_builder_gets_files_modes_and_arguments() -> None:
    """The image's own user, too, to whom what installs as root goes back."""
    host = FakeHost(answers={**HELD, **SERVES})
    build(host, HTTPS_PROXY="http://proxy:3128")
    sent = host.engine.sent("POST /build")
    with tarfile.open(fileobj=io.BytesIO(sent.body)) as tar:
        modes = {one.name: one.mode for one in tar}
    assert modes == {"Dockerfile": 0o644, "run": 0o755}
    assert sent.params["buildargs"] == {"BASE": NOTEBOOK, "BASE_USER": "jovyan", "HTTPS_PROXY": "http://proxy:3128"}


def test_a_dockerfile_of_ones_own_keeps_its_arguments() -> None:
    """Of the image below it is told nothing, whatever it calls its arguments: it names that image itself."""
    host = FakeHost(answers={**SERVES, "GET /images/a:1/json": {"Id": "sha256:1"}})
    build(host, Recipe(TAG, {"Dockerfile": b"FROM a:1\nARG BASE_USER=ada\n"}, "", has_command=True))
    assert host.engine.sent("POST /build").params["buildargs"] == {}


def test_buildkit_is_used_where_the_nodes_docker_has_it() -> None:
    """Its lines come without their numbers; the engine's own builder is not asked."""
    host = buildkit(Output(0, "#1 [internal] load\n#2 0.1 Collecting six\n\n", ""))
    assert build(host).outputs == [(f"{MANAGER} notebook", line) for line in ("[internal] load", "Collecting six")]
    assert "POST /build" not in host.engine.asked()


def test_no_argument_of_buildkit_shows_a_proxys_password() -> None:
    """It comes before the files, on the command's input."""
    host = buildkit(Output(0, "", ""))
    build(host, HTTPS_PROXY="http://ada:hush@proxy:3128")
    ((command, content),) = host.sent.items()
    assert "hush" not in command
    assert "--build-arg HTTPS_PROXY " in command
    assert content.startswith(b"BUILDX_NO_DEFAULT_ATTESTATIONS=1\nHTTPS_PROXY=http://ada:hush@proxy:3128\n\n")


@pytest.mark.parametrize(
    ("lines", "cause", "remedy"),
    [
        (
            "\x1b[91mERROR: No matching distribution found for nosuch\n\x1b[0m\n ---> Removed",
            "ERROR: No matching distribution found for nosuch",
            "The lines above say more. Change mine/Dockerfile; nothing else was changed",
        ),
        ("E: Unable to locate package nosuch", "E: Unable to locate package nosuch", "Change mine/Dockerfile"),
        (
            "ERROR: Cannot install a and b\nERROR: ResolutionImpossible: for help visit x",
            "ERROR: Cannot install a and b",
            "Change mine/Dockerfile",
        ),
        ("OSError: [Errno 28] No space left on device", "No space left on device", "Free some disk there: docker system df"),
        ("W: Temporary failure in name resolution", "returned a non-zero code: 1", "Let containers there reach the internet"),
        ("Could not connect to debian.example.org:80", "returned a non-zero code: 1", "fab deploy --bundle FILE"),
        ("SSLError: CERTIFICATE_VERIFY_FAILED certificate verify failed", "SSLError", "hub.ca"),
        ("hello", "returned a non-zero code: 1", "Change mine/Dockerfile"),
    ],
)
@pytest.mark.parametrize("by", ["engine", "buildkit"])
def test_a_build_that_fails_says_why_in_the_words_of_what_failed(by: str, lines: str, cause: str, remedy: str) -> None:
    """In one line, with what helps, whichever builder it was."""
    message = "The command '/bin/sh -c x' returned a non-zero code: 1"

    def events(_: Any) -> Any:
        yield {"stream": lines}
        raise EngineError(MANAGER, 500, message)

    by_engine = FakeHost(answers={**HELD, "POST /build": events})
    by_engine.engine._answer = lambda request, ask=by_engine.engine._answer: (  # type: ignore[method-assign,misc]
        events(request) if str(request) == "POST /build" else ask(request)
    )
    error = refused(by_engine if by == "engine" else buildkit(Output(1, f"{lines}\n{message}", "")))
    assert cause in error.cause
    assert remedy in error.remedy


def test_an_image_without_a_single_user_server_is_refused_and_keeps_no_tag() -> None:
    """Before anybody's server fails; the next run does not take it for built. Its layers stay, for that."""
    host = FakeHost(answers={**HELD, **once("none")})
    assert "has no jupyterhub-singleuser" in refused(host).cause
    gone = host.engine.sent(f"DELETE /images/{TAG}")
    assert gone.params == {"noprune": True}


def test_an_image_with_a_command_of_its_own_is_not_asked_for_one() -> None:
    """It may start its server otherwise."""
    host = FakeHost(answers={**HELD, **once("none")})
    build(host, Recipe(TAG, FILES, NOTEBOOK, is_notebook=True, has_command=True))
    assert "POST /containers/create" not in host.engine.asked()


@pytest.fixture(params=["sh", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    """Return a shell that a node may have as its sh."""
    return str(request.param)


def started(shell: str, content: bytes, size: int, *command: str) -> subprocess.Popen[bytes]:
    """Start the script that feeds a build, in a process group of its own as sshd does."""
    argv = [shell, "-c", builder.BUILD, "sh", str(size), "sh", "-c", *command]
    build = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert build.stdin is not None
    build.stdin.write(content)
    build.stdin.flush()
    return build


def test_a_build_gets_its_variables_and_all_of_its_files(shell: str) -> None:
    """It ends with its own exit code, though the input is still open."""
    with started(shell, b"A=a b\n\n" + b"x" * 200_000, 200_000, 'echo "$A"; wc -c; exit 7') as build:
        assert build.stdout is not None
        assert (build.stdout.read(), build.wait(10)) == (b"a b\n200000\n", 7)


def test_a_build_ends_where_nobody_waits_for_it(shell: str) -> None:
    """Ctrl-C or a lost connection closes the input."""
    with started(shell, b"\nxx", 2, "cat; echo; exec sleep 60") as build:
        assert build.stdin is not None
        assert build.stdout is not None
        assert build.stdout.readline() == b"xx\n"
        build.stdin.close()
        assert build.wait(10) == -signal.SIGTERM
