"""An engine's refusal is told in its own words."""

import pytest

from swarmhub.inside.unix import message


@pytest.mark.parametrize(
    ("said", "told"),
    [(b'{"message": "no such image"}', "no such image"), (b"404 page not found\n", "404 page not found"), (b'["x"]', '["x"]')],
)
def test_the_reason_is_told_alone(said: bytes, told: str) -> None:
    """What is no JSON, or has no reason in it, is told whole: a proxy may have said it."""
    assert message(said) == told
