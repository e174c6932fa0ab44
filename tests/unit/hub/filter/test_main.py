"""The filter's start."""

import json
from pathlib import Path

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
def test_without_a_policy_it_does_not_start(text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is wrong."""
    file = tmp_path / "policies.json"
    if text is not None:
        file.write_text(text)
    assert command.main(file) == 1
    said = capsys.readouterr().err
    assert (said.startswith(f"{file} is no policy: "), said.count("\n")) == (True, 1)
