"""What people may choose before a server starts, what they read, and what the start makes of it."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from hub.spawner import profiles
from hub.spawner.profiles import NotOffered

SMALL = {"name": "Small", "description": "For most exercises."}
LARGE = {"name": "Extra tools", "memory_limit": 4 * 2**30, "cpu_limit": 2.0}
GPU = {"name": "GPU", "groups": ["ml", "staff"], "generic_resources": {"NVIDIA-GPU": 1}}
ALL = (SMALL, LARGE, GPU)
NOTEBOOK: dict[str, Any] = {"environment": {}, "node_labels": {}, "generic_resources": {}}


def tables(*some: dict[str, Any], overrides: tuple[dict[str, Any], ...] = (), **notebook: Any) -> dict[str, Any]:
    """Return what the hub is handed where these are the profiles and the overrides."""
    return {"profiles": list(some), "overrides": list(overrides), "notebook": NOTEBOOK | notebook}


def page(*some: dict[str, Any], groups: tuple[str, ...] = (), last: dict[str, Any] | None = None, **more: Any) -> str:
    """Return the form that a user in these groups gets, who has had these options the last time."""
    spawner = SimpleNamespace(
        tables=tables(*some, **more),
        user=SimpleNamespace(name="ada", groups=[SimpleNamespace(name=group) for group in groups]),
        orm_spawner=SimpleNamespace(user_options=last),
    )
    return profiles.options_form(spawner)


def refused(groups: tuple[str, ...], said: Any, *some: dict[str, Any]) -> tuple[int, str]:
    """Return the status and the words with which a start with this choice is refused."""
    with pytest.raises(NotOffered) as refusal:
        profiles.chosen(tables(*(some or ALL)), groups, {"profile": said})
    return refusal.value.status_code, refusal.value.jupyterhub_message


@pytest.mark.parametrize(
    ("groups", "names"),
    [((), ["Small", "Extra tools"]), (("staff",), ["Small", "Extra tools", "GPU"]), (("math",), ["Small", "Extra tools"])],
)
def test_a_profile_with_groups_is_offered_to_their_members(groups: tuple[str, ...], names: list[str]) -> None:
    """What is for no group is for all; one of several groups is enough; the order is that of the settings."""
    assert [one["name"] for one in profiles.offered(tables(*ALL), groups)] == names


@pytest.mark.parametrize("said", ["extra-tools", "Extra tools"])
def test_a_choice_goes_by_its_slug_or_its_name(said: str) -> None:
    """The page sends the slug; who uses the API may write either."""
    assert profiles.chosen(tables(*ALL), [], {"profile": said}) == LARGE


def test_who_says_nothing_gets_the_first_that_is_offered() -> None:
    """A start through the API without options is a start of the first profile that the user may have."""
    assert profiles.chosen(tables(GPU, SMALL), [], {}) == SMALL


def test_without_profiles_nothing_is_chosen() -> None:
    """Where the settings have no profiles, a choice left from other days hurts nobody."""
    assert profiles.chosen(tables(), [], {"profile": "small"}) is None


@pytest.mark.parametrize("said", ["huge", "", ["Small"], {"name": "Small"}, 1, True, "small/../gpu", "x" * 10_000])
def test_an_unknown_choice_is_refused_with_those_that_there_are(said: Any) -> None:
    """What comes through the API may be anything: it is refused in plain words, and the choices of the user are named."""
    status, words = refused((), said)
    assert status == 400
    assert words.startswith("There is no choice ")
    assert words.endswith(" You can choose Small or Extra tools.")
    assert len(words) < 200


def test_a_choice_for_others_is_refused_with_whom_it_is_for() -> None:
    """The groups are looked at when the server starts, whatever the page has shown."""
    expected = "GPU is for members of ml or staff. You can choose Small or Extra tools."
    assert refused(("math",), "gpu") == (403, expected)


@pytest.mark.parametrize("said", [None, "gpu", "huge"])
def test_whom_nothing_is_offered_is_told_so(said: str | None) -> None:
    """A user whose groups no profile names reads whom they are for, and gets no server."""
    status, words = refused((), said, GPU)
    assert status == 403
    assert words.startswith("No server is there for you yet: all of them are for members of ml or staff. ")


@pytest.mark.parametrize("some", [(), (SMALL,), (SMALL, GPU), (GPU,)], ids=["none", "one", "one for all", "none for all"])
def test_one_choice_needs_no_page(some: tuple[dict[str, Any], ...]) -> None:
    """Without a form JupyterHub starts the server at once, or says why not."""
    assert page(*some) == ""


def test_the_page_holds_the_choices_of_the_user() -> None:
    """Each choice is a radio button with its slug, its words shown as text; what is for others is not on the page."""
    assert re.findall(r'type="radio" name="profile" value="([^"]+)"', page(*ALL)) == ["small", "extra-tools"]
    assert 'value="gpu"' in page(*ALL, groups=("ml",))
    form = page({"name": "<b>R</b> & co", "description": "<script>alert('x')</script>"}, SMALL)
    assert ("&lt;b&gt;R&lt;/b&gt; &amp; co" in form, "<script" in form) == (True, False)


@pytest.mark.parametrize(
    ("last", "checked"),
    [(None, "small"), ({}, "small"), ({"profile": "extra-tools"}, "extra-tools"), ({"profile": "gpu"}, "small")],
)
def test_the_last_choice_is_preselected_or_else_the_first(last: dict[str, Any] | None, checked: str) -> None:
    """Enter is enough for who wants what they had; exactly one is selected."""
    assert re.findall(r'value="([^"]+)" required checked', page(*ALL, last=last)) == [checked]


def test_a_last_choice_that_is_gone_brings_the_page() -> None:
    """JupyterHub starts with the last options where there is no page: who lost a profile could never start again."""
    form = page(SMALL, GPU, last={"profile": "gpu"})
    assert 'value="small" required checked' in form
    assert "is not offered to you" in form


def test_the_sizes_are_those_that_the_server_gets() -> None:
    """A profile's sizes stand over those that all get, and an override of the user's over both."""
    more = {"users": ["ada"], "profiles": ["Small"], "cpu_limit": 8.0}
    form = page(SMALL, LARGE, memory_limit=2**30, overrides=(more,))
    shown = re.findall(r'<span class="text-nowrap">([^<]+)</span>', form)
    assert shown == ["up to 8 CPUs", "up to 1 GB memory", "up to 2 CPUs", "up to 4 GB memory"]


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({}, ()),
        ({"cpu_limit": 2.0}, ("up to 2 CPUs",)),
        ({"cpu_limit": 1.0, "cpu_guarantee": 0.5}, ("0.5 to 1 CPU",)),
        ({"cpu_limit": 2.0, "cpu_guarantee": 2.0}, ("2 CPUs",)),
        ({"cpu_guarantee": 0.5}, ("at least 0.5 CPUs",)),
        ({"memory_limit": 512 * 2**20}, ("up to 512 MB memory",)),
        ({"memory_guarantee": 3 * 2**29, "memory_limit": 2**40}, ("1.5 GB to 1 TB memory",)),
        ({"memory_limit": 100}, ("up to 0.1 KB memory",)),
        ({"generic_resources": {"NVIDIA-GPU": 1, "FPGA": 2}}, ("1 NVIDIA GPU", "2 FPGA")),
    ],
)
def test_sizes_are_said_in_words(server: dict[str, Any], words: tuple[str, ...]) -> None:
    """People read what they get and what others leave them."""
    assert profiles.sizes(NOTEBOOK | server) == words


@pytest.mark.parametrize(
    ("formdata", "options"),
    [({"profile": ["small"]}, {"profile": "small"}), ({}, {}), ({"x": ["y"]}, {}), ({"bare": ["1"]}, {"bare": "1"})],
)
def test_the_form_becomes_the_users_options(formdata: dict[str, list[str]], options: dict[str, str]) -> None:
    """Only the choice is taken; JupyterHub calls this with one argument when a link carries the choice."""
    assert profiles.options_from_form(formdata) == options


@pytest.mark.parametrize(
    "stored", [{"profile": "big", "node": "n7"}, {"profile": "big"}, None], ids=["a node", "none", "nothing"]
)
def test_no_node_is_stored(stored: dict[str, Any] | None) -> None:
    """Who starts the server the next time has not asked for it."""
    spawner = SimpleNamespace(orm_spawner=SimpleNamespace(user_options=stored))
    profiles.apply_user_options(spawner, {"node": "n7"})
    assert spawner.orm_spawner.user_options == ({"profile": "big"} if stored else {})
