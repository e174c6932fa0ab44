"""`fab doctor` as it is typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from swarmhub import doctor
from swarmhub.doctor import finding
from swarmhub.doctor.finding import Finding
from tasks import ns

OK = finding.ok("dns", "swarm-manager1", "leads here")
FAILURE = finding.failure("clock", "swarm-worker1", "70 s ahead of the other nodes", "Set it")


def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, findings: list[Finding], **arguments: Any) -> None:
    """Run the task on a cluster of which the doctor finds this."""
    hosts = '[hosts]\nmanagers = ["swarm-manager1"]\n[hub]\ndomain = "hub.example.org"\n[notebook]\nimage = "a/b:c"\n'
    (tmp_path / "hosts.toml").write_text(hosts)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "examine", lambda *_: findings)
    ns["doctor"](Context(Config()), **arguments)


def test_only_a_failure_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line a finding with its remedy, and one that counts; machines get JSON and the code; standard error stays empty."""
    typed(monkeypatch, tmp_path, [OK])
    assert capsys.readouterr().out.splitlines()[1:] == ["ok  dns    swarm-manager1  leads here", "0 failures, 0 warnings, 1 ok"]
    with pytest.raises(Exit) as ended:
        typed(monkeypatch, tmp_path, [FAILURE, OK])
    said = capsys.readouterr()
    assert (ended.value.code, ended.value.message, said.err) == (1, None, "")
    assert said.out.splitlines()[-2].endswith("70 s ahead of the other nodes. Set it")
    with pytest.raises(Exit):
        typed(monkeypatch, tmp_path, [FAILURE, OK], json=True)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["failures"], [one["check"] for one in answer["findings"]]) == (1, ["clock", "dns"])
