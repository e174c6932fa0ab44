"""Differences and time spans in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmhub.plan.differences import Difference, differences
from swarmhub.plan.shown import age, duration, lines, size

LONG = "x" * 120

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "wanted", "shown"),
    [
        ("a", "b", ["A: a → b"]),
        (None, "b", ["A: nothing → b"]),
        ("a\nb", None, ["A: a ⏎ b → nothing"]),
        (["a", "b"], ["b", "c"], ["A: removed a", "A: added c"]),
        (None, ["a", "b"], ["A: added a", "A: added b"]),
        (["a"], None, ["A: removed a"]),
        (None, [str(one) for one in range(5000)], [*(f"A: added {one}" for one in range(20)), "A: added 4980 more"]),
        (["a", "b"], ["b", "a"], ["A: a, b → b, a"]),
        ([], "b", ["A: nothing → b"]),
        (["a"], "b", ["A: a → b"]),
        (None, {"B": {"C": 1}, "D": ["x"]}, ["A.B.C: nothing → 1", "A.D: added x"]),
        ({"B": 1}, None, ["A.B: 1 → nothing"]),
        ({"B": 1}, "text", ["A: B=1 → text"]),
        (None, [{"Type": "bind", "File": {"Name": "x"}}], ["A: added Type=bind, File.Name=x"]),
        (LONG, "b", [f"A: {'x' * 97}… → b"]),
        (f"{LONG}a", f"{LONG}b", [f"A: …{'x' * 20}a → …{'x' * 20}b"]),
        ([f"{LONG}a"], [f"{LONG}b"], [f"A: removed …{'x' * 20}a", f"A: added …{'x' * 20}b"]),
        (["TOKEN=a", "B=1"], ["TOKEN=b", "B=1"], ["A: another value (hidden)"]),
        (["TOKEN=a"], ["TOKEN=a", "B=1"], ["A: added B=1"]),
        (f"{LONG}a{LONG}", f"{LONG}b{LONG}", [f"A: …{'x' * 20}a{'x' * 76}… → …{'x' * 20}b{'x' * 76}…"]),
        ('{"a":{"b":[1]},"c":1}', '{"a":{"b":[1,2]},"c":1}', ["A.a.b: added 2"]),
        ('{"a":1}', '{"a": 1}', ['A: {"a":1} → {"a": 1}']),
        ('{"a":1}', "{no json", ['A: {"a":1} → {no json']),
        (None, '{"a":1}', ['A: nothing → {"a":1}']),
        ('{"a_token":"x"}', '{"a_token":"y"}', ["A: another value (hidden)"]),
    ],
)
def test_a_difference_is_told_item_by_item(found: Any, wanted: Any, shown: list[str]) -> None:
    """What has come and what has gone; two long values never look the same."""
    assert lines(Difference("A", found, wanted)) == shown


def test_of_two_hidden_values_it_is_told_that_they_differ() -> None:
    """Not that the same becomes the same."""
    assert lines(Difference("Env.TOKEN", "a", "b")) == ["Env.TOKEN: another value (hidden)"]


@pytest.mark.parametrize("path", ["TaskTemplate.ContainerSpec.Command", "jupyterhub.Spawner.args", "Healthcheck.Test"])
def test_a_command_line_is_shown_whole_before_and_after(path: str) -> None:
    """A line for each word would say nothing of it; however long it is, it can be read."""
    found, wanted = ["certbot", "renew", "--webroot-path", "/a b", "-q"], ["certbot", "renew", "--standalone", LONG]
    assert lines(Difference(path, found, wanted)) == [
        f"{path}: certbot renew --webroot-path '/a b' -q → certbot renew --standalone {LONG}"
    ]
    assert lines(Difference(path, None, ["sh"])) == [f"{path}: nothing → sh"]


MOUNTS = [{"Type": "volume", "Source": name, "Target": f"/{name}"} for name in ("a", "b", "c")]


@pytest.mark.parametrize(
    ("found", "wanted", "shown"),
    [
        (MOUNTS[:2], MOUNTS, ["Mounts: added Type=volume, Source=c, Target=/c"]),
        (
            [MOUNTS[0], MOUNTS[2]],
            [MOUNTS[0], MOUNTS[1]],
            ["Mounts: removed Type=volume, Source=c, Target=/c", "Mounts: added Type=volume, Source=b, Target=/b"],
        ),
        (MOUNTS, [{**MOUNTS[0], "Source": "new"}, *MOUNTS[1:]], ["Mounts[0].Source: a → new"]),
    ],
    ids=["one more", "another", "changed"],
)
def test_mounts_are_compared_with_themselves(found: Any, wanted: Any, shown: list[str]) -> None:
    """By where they are mounted: one that goes is not told as a change of its neighbour."""
    assert [line for item in differences({"Mounts": wanted}, {"Mounts": found}) for line in lines(item)] == shown


def test_a_service_on_another_network_has_another_id_there() -> None:
    """That is one field, and what it will be may be known later only."""
    (found,) = differences({"Networks": [{"Target": "known after network"}]}, {"Networks": [{"Target": "n0"}]})
    assert lines(found) == ["Networks[0].Target: n0 → known after network"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (12.34, "12.3 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (119.7, "1 min 59 s"), (200, "3 min 20 s")],
)
def test_a_time_span_has_minutes(seconds: float, text: str) -> None:
    """Tenths of seconds matter below a minute only."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "119 min"), (7200, "2 h"), (172_799, "47 h"), (172_800, "2 d")],
)
def test_an_age_is_said_in_one_unit(seconds: int, shown: str) -> None:
    """Of two clocks one may be ahead: nothing is younger than now."""
    assert age(NOW - timedelta(seconds=seconds), NOW) == shown


@pytest.mark.parametrize(("count", "shown"), [(None, "-"), (0, "0 bytes"), (140_400_000, "140 MB"), (1_250_000_000, "1.2 GB")])
def test_a_size_is_said_as_people_read_it(count: int | None, shown: str) -> None:
    """What nobody knows is a dash."""
    assert size(count) == shown
