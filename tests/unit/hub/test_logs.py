"""What is left of a line before the hub logs it."""

import logging

import pytest

from hub.logs import Formatter


def logged(text: str) -> str:
    """Return a message as the hub's log has it."""
    return Formatter(fmt="%(message)s", color=False).format(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /user/a/?token=abc (@::1)", "GET /user/a/?[not logged] (@::1)"),
        ("302 GET /hub/ -> /hub/login?next=%2Fhub%2F%3Ftoken%3Dabc (@)", "302 GET /hub/ -> /hub/login?[not logged] (@)"),
        (
            '"Referer": "https://h/hub/oauth_callback?code=1&state=2",',
            '"Referer": "https://h/hub/oauth_callback?[not logged]",',
        ),
        ("GET /hub/x;token=abc (@)", "GET /hub/x?[not logged] (@)"),
        ("GET /hub/x%3Ftoken=abc (@)", "GET /hub/x?[not logged] (@)"),
        ("GET /hub/x%253ftoken%253Dabc (@)", "GET /hub/x?[not logged] (@)"),
        ("Is it well? a=b", "Is it well? a=b"),
    ],
)
def test_no_query_of_an_address_is_logged(text: str, left: str) -> None:
    """A token may be in it, of the hub or of a notebook, or a code of the provider's; nor one within another."""
    assert logged(text) == left


@pytest.mark.parametrize("control", ["\r", "\x1b]0;x", "\x00", "\x85", "\u2028", "\u202e"])
def test_nothing_in_a_line_makes_it_look_like_another(control: str) -> None:
    """No control character, and none that turns a text round."""
    assert control not in logged(f"user a{control}b")


def test_a_second_line_does_not_look_like_a_first() -> None:
    """It begins with spaces."""
    assert logged("user a\n[I 2026] granted") == "user a\n    [I 2026] granted"
