"""The filter's start."""

import json

import pytest

from hub.filter import __main__ as command
from hub.filter import policy
from tests.unit.hub.filter.engines import allowed


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        "[]",
        json.dumps([json.loads(policy.document(allowed()))[0] | {"extra": {"container": {"privileged": True}}}]),
    ],
    ids=["none", "empty", "without keys", "an empty list", "an argument that docker-py does not know"],
)
def test_without_a_policy_it_does_not_start(
    text: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong."""
    monkeypatch.delenv(policy.VARIABLE, raising=False)
    if text is not None:
        monkeypatch.setenv(policy.VARIABLE, text)
    assert command.main() == 1
    said = capsys.readouterr().err
    assert (said.startswith("SWARMHUB_FILTER is no policy: "), said.count("\n")) == (True, 1)
