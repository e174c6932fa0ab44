"""What was announced last is in force, wherever it was said."""

from pathlib import Path

from hub.shared import announcement
from hub.shared.announcement import NAME, Announced


def test_what_is_said_while_the_hub_runs_is_in_force(tmp_path: Path) -> None:
    """In the place of hosts.toml's text, also to say nothing; a hub that starts again goes by it."""
    announced = Announced("Closed on Friday.", tmp_path / NAME)
    assert announcement.in_force(announced) == "Closed on Friday."
    announcement.change(announced, "Restart at six.")
    assert announcement.in_force(Announced("Closed on Friday.", tmp_path / NAME)) == "Restart at six."
    announcement.change(announced, "")
    assert announcement.in_force(announced) == ""


def test_a_newer_text_of_hosts_toml_is_in_force(tmp_path: Path) -> None:
    """A deploy that brings another text says what holds now."""
    announcement.change(Announced("", tmp_path / NAME), "Restart at six.")
    assert announcement.in_force(Announced("Open again.", tmp_path / NAME)) == "Open again."


def test_a_file_that_is_damaged_says_nothing(tmp_path: Path) -> None:
    """A page that is shown must not fail for it."""
    (tmp_path / NAME).write_text("{")
    assert announcement.in_force(Announced("Open.", tmp_path / NAME)) == "Open."
