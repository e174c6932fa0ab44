"""When certbot runs, and what becomes of a run that fails, hangs or is cut off."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swarmhub import wait
from swarmhub.inside import renew
from swarmhub.inside.renew import Attempts
from swarmhub.services.renewal import SCRIPT
from tests.unit.support.authority import Authority
from tests.unit.support.fakes import DOMAIN

DAY = 86400.0
NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(("life", "seconds"), [(90 * DAY, DAY / 2), (6 * DAY, DAY / 2), (60, 7.5), (4, 1)])
def test_certbot_is_asked_twice_a_day(life: float, seconds: float) -> None:
    """And more often only for a life so short that half a day would be too late."""
    assert renew.interval(life) == seconds


@pytest.mark.parametrize(
    ("failures", "life", "seconds"),
    [(1, 90 * DAY, 6 * 3600), (1, 6 * DAY, 5184), (2, 6 * DAY, 10368), (9, 6 * DAY, 6 * 3600), (1, 60, 1), (9, 60, 3)],
)
def test_a_run_that_failed_is_repeated_later_and_later(failures: int, life: float, seconds: float) -> None:
    """Up to six hours, or a twentieth of a short life."""
    assert renew.pause(failures, life) == pytest.approx(seconds)


def test_no_number_of_failures_is_too_large() -> None:
    """A certificate that was never renewed for years is still tried."""
    assert renew.pause(100_000, 90 * DAY) == 6 * 3600


@pytest.mark.parametrize(("later", "seconds"), [(60.0, 60.0), (-5.0, -5.0), (DAY / 2, DAY / 2), (400 * DAY, 0.0)])
def test_a_clock_that_was_wrong_does_not_end_the_renewal(later: float, seconds: float) -> None:
    """What is further away than the longest interval is due: asked again and again, a bound would never be over."""
    assert renew.left(Attempts(next=(NOW + timedelta(seconds=later)).isoformat()), NOW) == seconds


@pytest.mark.parametrize("content", [None, "", "[]", '{"other": 1}', '{"next": "soon"}', '{"next": "2026-11-15T12:00:00"}'])
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, content: str | None) -> None:
    """It is written again before the next run."""
    if content is not None:
        (tmp_path / "state").write_text(content)
    assert renew.read(tmp_path / "state") == Attempts()


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_certificate_that_cannot_be_read_is_certbots_to_name(tmp_path: Path, content: str | None) -> None:
    """The wait is that of a usual one."""
    if content is not None:
        (tmp_path / "chain").write_text(content)
    assert renew.lifetime(tmp_path / "chain") == renew.USUAL_LIFE


@dataclass(frozen=True)
class Container:
    """A folder with a certificate of 90 days, a fake certbot that notes its runs there, and the script's processes."""

    folder: Path
    processes: list[subprocess.Popen[bytes]]

    @property
    def chain(self) -> Path:
        return self.folder / "fullchain.pem"

    @property
    def runs(self) -> int:
        """Return how often certbot has run."""
        noted = self.folder / "runs"
        return len(noted.read_text().splitlines()) if noted.exists() else 0

    @property
    def state(self) -> Attempts:
        """Return what is in the state file."""
        return Attempts(**json.loads((self.folder / "state.json").read_text()))

    def waiting(self, certbot: str, *, state: str = "state.json") -> subprocess.Popen[bytes]:
        """Start it, and return when it waits for the time of the next run."""
        log = self.folder / "log"
        before = log.stat().st_size if log.exists() else 0
        process = self.start(certbot, state=state)
        until(lambda: any(text in log.read_bytes()[before:] for text in (b"certbot runs next at", b"no certificate yet")))
        return process

    def start(self, certbot: str, *, state: str = "state.json", limit: float = 60) -> subprocess.Popen[bytes]:
        """Start the script with a shell script as certbot."""
        environ = os.environ | {"CHAIN": str(self.chain), "STATE": str(self.folder / state), "LIMIT": str(limit)}
        shell = ["sh", "-c", f"echo run >>{self.folder}/runs; {certbot}"]
        process = subprocess.Popen([sys.executable, SCRIPT, *shell], env=environ, stdout=(self.folder / "log").open("ab"))
        self.processes.append(process)
        return process

    def after(self, certbot: str, holds: Callable[[Attempts], bool], *, limit: float = 60) -> Attempts:
        """Start it, wait for a state, kill it as a crash would, and return the state."""
        process = self.start(certbot, limit=limit)
        until(lambda: (self.folder / "state.json").exists() and holds(self.state))
        process.kill()
        process.wait()
        return self.state

    def hold(self, state: Attempts) -> None:
        """Write a state of the certificate that is there, whose next run is due."""
        due = replace(state, certificate=renew.identify(self.chain), next=datetime.now(UTC).isoformat())
        (self.folder / "state.json").write_text(json.dumps(asdict(due)))


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    wait.until(holds, 20, lambda: AssertionError("it did not come to that"), pause=0.02)


def seconds(state: Attempts) -> float:
    """Return how far off the next run is."""
    return (datetime.fromisoformat(state.next) - datetime.now(UTC)).total_seconds()


@pytest.fixture
def container(authority: Authority, tmp_path: Path) -> Iterator[Container]:
    """Return a folder with a certificate; the processes end with the test."""
    made = Container(tmp_path, [])
    made.chain.write_text(authority.issue(DOMAIN)[0])
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def has_ended(state: Attempts) -> bool:
    """Tell whether a run has ended."""
    return not state.is_running


def test_a_run_that_went_well_is_repeated_after_the_interval(container: Container) -> None:
    """And what failed before is forgotten."""
    container.hold(Attempts(failures=4, said="no"))
    state = container.after("true", lambda state: state.failures == 0)
    assert (container.runs, state.said) == (1, "")
    assert seconds(state) == pytest.approx(DAY / 2, abs=60)


def test_a_failure_says_why_and_when_certbot_runs_next(container: Container) -> None:
    """In the file that doctor and status read."""
    container.hold(Attempts(failures=1))
    state = container.after("echo refused; exit 1", lambda state: state.failures == 2)
    assert state.said == "refused"
    assert seconds(state) == pytest.approx(6 * 3600, abs=60)


def test_a_container_that_starts_again_waits_as_the_one_before_it(container: Container) -> None:
    """However often: a series of restarts does not use up the authority's rate limit."""
    container.after("exit 1", lambda state: state.failures == 1)
    for _ in range(3):
        process = container.waiting("exit 1")
        process.kill()
        process.wait()
    assert (container.runs, container.state.failures) == (1, 1)


def test_a_run_that_was_cut_off_has_failed(container: Container) -> None:
    """The wait after it was written before it began; the next container tells of it once it has run."""
    cut = container.after("sleep 10", lambda _: container.runs == 1)
    assert (cut.is_running, cut.failures) == (True, 0)
    assert seconds(cut) == pytest.approx(6 * 3600, abs=60)
    container.waiting("true")
    assert container.runs == 1
    assert renew.read(container.folder / "state.json") == replace(cut, is_running=False, failures=1, said=renew.CUT_OFF)


def test_certbot_does_not_run_while_its_state_cannot_be_written(container: Container) -> None:
    """On a full disk it would get a certificate and lose it, each time that the container starts."""
    for _ in range(2):
        process = container.waiting("true", state="no folder/state.json")
        process.kill()
        process.wait()
    said = (container.folder / "log").read_text()
    assert (container.runs, said.count("certbot does not run while its state cannot be written")) == (0, 2)


def test_a_certbot_that_hangs_is_ended(container: Container) -> None:
    """So are the processes that it has started, which keep its output open; it is a failure like any other."""
    state = container.after("echo asking; sleep 60 & wait", lambda state: state.failures == 1, limit=0.5)
    assert state.said.splitlines() == ["asking", "", "certbot did not end within 0 seconds"]


def test_another_certificate_is_looked_at_at_once(container: Container, authority: Authority) -> None:
    """`fab certs` may have got it: the failures of the one before are forgotten."""
    container.start(f"grep -q another {container.folder}/note")
    until(lambda: (container.folder / "state.json").exists() and container.state.failures == 1)
    (container.folder / "note").write_text("another")
    container.chain.write_text(authority.issue(DOMAIN)[0])
    until(lambda: container.state.failures == 0 and has_ended(container.state))
    assert container.runs == 2


def test_the_first_certificate_is_waited_for(container: Container, authority: Authority) -> None:
    """A deploy gets it: which names and which server, the deploy knows best."""
    container.chain.unlink()
    container.waiting("true")
    assert container.runs == 0
    container.chain.write_text(authority.issue(DOMAIN)[0])
    until(lambda: container.runs == 1)


def test_a_container_that_is_stopped_lets_certbot_end(container: Container) -> None:
    """A certificate that was issued is not lost."""
    process = container.start("sleep 0.5; exit 1")
    until(lambda: container.runs == 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert (container.state.failures, container.state.is_running) == (1, False)


def test_an_image_without_certbot_is_told(container: Container) -> None:
    """It is no crash: that would be repeated every ten seconds."""
    code, said = renew.run([str(container.folder / "certbot")], 1)
    assert (code, "No such file or directory" in said) == (1, True)


def test_a_proxys_address_is_taken_from_its_file(tmp_path: Path) -> None:
    """Certbot reads variables only."""
    (tmp_path / "NAME").write_text("http://proxy:3128\n")
    environ = {"HTTP_PROXY_FILE": str(tmp_path / "NAME")}
    renew.learn(environ)
    assert (environ["HTTPS_PROXY"], environ["HTTP_PROXY"]) == ("http://proxy:3128", "http://proxy:3128")
    others = {"PATH": "/bin"}
    renew.learn(others)
    assert others == {"PATH": "/bin"}
