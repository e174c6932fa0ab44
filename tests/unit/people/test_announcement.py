"""What everybody is told now: what is planned, and what cannot be shown."""

from typing import Any

import pytest

from swarmhub.errors import UsageError
from swarmhub.people import announcement as room
from tests.unit.support.fakes import MANAGER, FakeHost, FakeProgress


class Hub:
    """A hub whose announcement is `text`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get(self, path: str) -> Any:
        assert path == "swarmhub/announcement"
        return {"text": self.text}

    def put(self, path: str, body: Any) -> None:
        self.text = body["text"]


@pytest.mark.parametrize(
    ("before", "text", "sentence"),
    [
        ("", " Restart at six. ", f"announce 'Restart at six.' on {MANAGER}"),
        ("Restart at six.", "", f"withdraw 'Restart at six.' on {MANAGER}"),
    ],
)
def test_a_text_is_put_into_force_or_withdrawn(before: str, text: str, sentence: str) -> None:
    """Without spaces at its ends, as hosts.toml has it; it costs nobody anything."""
    hub: Any = Hub(before)
    (change,) = room.plan(hub, text, MANAGER).changes
    change.apply(FakeHost(MANAGER), FakeProgress())
    assert (change.sentence, change.price, hub.text) == (sentence, "", text.strip())


@pytest.mark.parametrize(("text", "summary"), [("Hello.", "the announcement is: Hello."), ("", "there is no announcement")])
def test_what_is_in_force_is_not_said_again(text: str, summary: str) -> None:
    """Nothing is to do."""
    hub: Any = Hub(text)
    plan = room.plan(hub, text, MANAGER)
    assert (plan.changes, plan.summary) == ((), summary)


@pytest.mark.parametrize(
    ("text", "why"), [("a\tb", "'a\\tb' is not text without control characters"), ("x" * 2001, "2001 characters, at most 2000")]
)
def test_a_text_that_cannot_be_shown_is_refused(text: str, why: str) -> None:
    """Before anything is changed."""
    with pytest.raises(UsageError, match=r"announce: .*" + why.replace("\\", "\\\\")):
        room.checked(text)
