"""The hub's own configuration: mistakes that never reach it, services of one's own, and servers that are culled."""

from pathlib import Path

import pytest

from hub.shared.servers.spec import ROOT
from tests.lab.configured import SECRETS, TOKEN
from tests.lab.support import HUB, STUB, Lab, Settings

ASK = 'curl -sS -o /dev/null -w %{http_code} -H "Authorization: token $1" "http://127.0.0.1:8081/hub/api/$2"'
# As capabilities(7) numbers them.
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE"),
)
WITH_CONF = '[hub]\nconf = "{}"'


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Return an empty folder for conf.d."""
    folder = tmp_path / "conf.d"
    folder.mkdir()
    return folder


def status(lab: Lab, path: str) -> str:
    """Ask the hub's API as the report service does, and return the answer's status."""
    return lab.execute(HUB, "sh", "-c", ASK, "sh", TOKEN, path)


def servers(lab: Lab) -> set[str]:
    """Return the services of people's servers."""
    return set(lab.docker("service", "ls", "--format", "{{.Name}}").split()) - {HUB}


@pytest.mark.quick
def test_typos_never_reach_the_running_hub(used: Lab, settings: Settings, conf: Path) -> None:
    """One in conf.d and one in hosts.toml: the deploy names both with their places, and the hub runs as before."""
    (conf / "10-hooks.py").write_text("c = get_config()\n\nc.Spawner.pre_spawn_hok = print\n")
    typo = ("[notebook]", "[jupyterhub.Spawner]\nargss = []\n\n[notebook]")
    before = used.service_version(), used.docker("service", "ps", "-q", HUB)
    done = used.fab("deploy", hosts=settings(("[hub]", WITH_CONF.format(conf)), typo))
    assert (done.code, done.err.count("\n")) == (1, 1), done.text
    assert "jupyterhub.Spawner.argss: Spawner has no option argss; did you mean args?" in done.err
    assert "conf.d/10-hooks.py:3: Spawner has no option pre_spawn_hok; did you mean pre_spawn_hook?" in done.err
    assert (used.service_version(), used.docker("service", "ps", "-q", HUB)) == before


def test_a_service_of_ones_own_and_idle_servers(used: Lab, configured_hosts: Path) -> None:
    """A service with a secret token may do what its role says; a third server is refused; an idle one stops unless excepted."""
    missing = used.fab("deploy", hosts=configured_hosts)
    assert (missing.code, "secrets.REPORT_TOKEN: is not set" in missing.err) == (2, True), missing.text
    done = used.fab("deploy", hosts=configured_hosts, **SECRETS)
    assert done.code == 0, done.text
    assert (status(used, "users"), status(used, "groups")) == ("200", "403")
    assert TOKEN not in used.docker("service", "inspect", HUB)

    used.start_server("ada")
    # What she chose in an earlier test may not be offered here.
    assert used.ask_for_server("grace", profile=STUB) == ""
    used.wait(lambda: f"{HUB}-grace" in servers(used), 60, "grace's server does not start")
    assert "Active user limit exceeded" in used.ask_for_server("third")
    used.wait(lambda: f"{HUB}-grace" not in servers(used), 90, "grace's idle server is not culled")
    assert f"{HUB}-ada" in servers(used)
    used.stop_server("ada")
    used.hub_api("DELETE", "users/third")
    used.forget_homes()


def test_a_profile_may_keep_what_sudo_takes(used: Lab, configured_hosts: Path) -> None:
    """Through the hub and its filter: those that root in a notebook has when the attacks of root are tried."""
    used.let_stand(configured_hosts, **SECRETS)
    used.start_server("ada", profile="With sudo")
    status = dict(line.split(":", 1) for line in used.in_server("ada", "cat /proc/self/status").splitlines())
    used.stop_server("ada")
    used.forget_homes()
    kept = {CAPABILITIES[bit] for bit in range(64) if int(status["CapBnd"], 16) >> bit & 1}
    assert (kept, status["NoNewPrivs"].strip()) == ({*ROOT}, "0")
