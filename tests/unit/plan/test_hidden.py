"""What looks like a secret is hidden in all that is shown."""

from typing import Any

import pytest

from swarmhub.plan.differences import Difference, differences
from swarmhub.plan.hidden import hidden, in_command, in_line, visible


@pytest.mark.parametrize(
    "name",
    [
        *("GITHUB_CLIENT_SECRET", "DB_PASSWORD", "db.passwd", "PGPASSWORD", "MYSQL_PWD", "DB_PASS", "API_TOKEN", "ACCESSTOKEN"),
        *(
            "JUPYTERHUB_CRYPT_KEY",
            "apikey",
            "apiKey",
            "AWS_ACCESS_KEY_ID",
            "keys",
            "credentials",
            "Authorization",
            "cookie_secret",
        ),
    ],
)
def test_a_value_is_hidden_by_its_name(name: str) -> None:
    """Wherever the name is: in a path, in a table, before an equals sign."""
    assert (hidden("hunter2", f"Env.{name}"), hidden({name: "hunter2"}), hidden([f"{name}=hunter2"])) == (
        "(hidden)",
        {name: "(hidden)"},
        [f"{name}=(hidden)"],
    )


@pytest.mark.parametrize("name", ["KEYCLOAK_URL", "keyboard", "COMPASS", "PASSENGER", "HOME", "image", "OAUTH_CALLBACK_URL"])
def test_other_names_hide_nothing(name: str) -> None:
    """Part of another word is no secret."""
    assert (hidden("x", f"Env.{name}"), hidden([f"{name}=x"])) == ("x", [f"{name}=x"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("", ""),
        (True, True),
        ([], []),
        (7, 7),
        ({"TOKEN": ""}, {"TOKEN": ""}),
        ({"TOKEN": 7}, {"TOKEN": "(hidden)"}),
        ({"tokens": {"a": "x"}}, {"tokens": "(hidden)"}),
        ({"api_token": {"secret": "GRADER"}}, {"api_token": {"secret": "GRADER"}}),
        ({"certs": {"key": "/tls/key.pem"}}, {"certs": {"key": "/tls/key.pem"}}),
        ("postgresql://hub:pw@db/hub", "postgresql://hub:(hidden)@db/hub"),
        ("https://example.org/a:b@c", "https://example.org/a:b@c"),
        ("postgresql://hub:p@ss@db/hub", "postgresql://hub:(hidden)@db/hub"),
        ("https://me:p@ss@db:5432/a@b", "https://me:(hidden)@db:5432/a@b"),
        ("HTTPS://ghp_x@github.com/org/course", "HTTPS://(hidden)@github.com/org/course"),
        ("sftp://backup@nas//srv", "sftp://backup@nas//srv"),
        ("--password=x", "--password=(hidden)"),
        ('SETTINGS={"a":{"api_token":"x"}}', 'SETTINGS={"a":{"api_token":"(hidden)"}}'),
        ('SETTINGS={"a": 1}', 'SETTINGS={"a": 1}'),
        ("{no json", "{no json"),
        ("sh -c 'A_TOKEN=x run'", "sh -c 'A_TOKEN=(hidden) run'"),
        (
            {"Secrets": [{"SecretName": "hub-a_token-1", "File": {"Name": "A_TOKEN"}}]},
            {"Secrets": [{"SecretName": "hub-a_token-1", "File": {"Name": "A_TOKEN"}}]},
        ),
        ("SSL_KEY=/etc/letsencrypt/live/x/privkey.pem", "SSL_KEY=/etc/letsencrypt/live/x/privkey.pem"),
    ],
)
def test_what_is_hidden_of_a_value(value: Any, shown: Any) -> None:
    """A secret in a table, in JSON, in an address; not the name of a Swarm secret, nor a file's."""
    assert hidden(value) == shown


def test_a_difference_shows_no_secret_and_compares_them() -> None:
    """A service made by hand has them in its environment; another value is a difference all the same."""
    one, other = Difference("Env.A_SECRET", "old", None), Difference("Env.A_SECRET", "older", None)
    assert (one.found, one.wanted, repr(one), one == other) == (
        "(hidden)",
        None,
        "Difference('Env.A_SECRET', '(hidden)', None)",
        False,
    )


def test_two_secrets_are_a_difference() -> None:
    """Though both are shown as the same."""
    (found,) = differences({"Env": {"A_SECRET": "new"}}, {"Env": {"A_SECRET": "old"}})
    assert (found.became(Difference(found.path, "old", "new")), found.became(Difference(found.path, "old", "newer"))) == (
        True,
        False,
    )


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("", ""),
        ("docker pull x", "docker pull x"),
        ("docker run --env A_TOKEN=x hub", "docker run --env 'A_TOKEN=(hidden)' hub"),
        ("docker run --env 'A_TOKEN=x y' hub", "docker run --env 'A_TOKEN=(hidden)' hub"),
    ],
)
def test_a_command_shows_no_secret(command: str, shown: str) -> None:
    """A word of it is hidden, the others stay as they were quoted."""
    assert in_command(command) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("KeyError: 'x' in DB_PASSWORD=hunter2, HOME=/data", "KeyError: 'x' in DB_PASSWORD=(hidden) HOME=/data"),
        ("cannot connect to postgresql://hub:pw@db/hub", "cannot connect to postgresql://hub:(hidden)@db/hub"),
        ("Set it: export GITHUB_CLIENT_SECRET=…", "Set it: export GITHUB_CLIENT_SECRET=…"),
        ("level=error url=https://x/?a=1&token=hunter2 by=ada", "level=error url=https://x/?a=1&token=(hidden) by=ada"),
        ("DSN=postgresql://hub:p@ss@db/hub?sslmode=require", "DSN=postgresql://hub:(hidden)@db/hub?sslmode=require"),
        ("Step 3/9 : RUN npm ci", "Step 3/9 : RUN npm ci"),
    ],
)
def test_a_line_of_a_program_shows_no_secret(line: str, shown: str) -> None:
    """A log or an engine's error may have one; an example of how to set one has none."""
    assert in_line(line) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ada", "ada"),
        ("José, 田中", "José, 田中"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\rb\x07\x9b", "a\\rb\\x07\\x9b"),
        ("ada\u202enimda", "ada\\u202enimda"),
        ("a\u2066b\u2069\u200b\u2028", "a\\u2066b\\u2069\\u200b\\u2028"),
        ("\ud800", "\\ud800"),
        ("two\nlines", "two\nlines"),
        ("{{.Node}} {x} 'q' \"", "{{.Node}} {x} 'q' \""),
    ],
)
def test_what_a_terminal_would_act_on_is_written_out(text: str, shown: str) -> None:
    """Names come from a provider, and what is said of them from a hub that may be anybody's."""
    assert visible(text) == shown
