"""Hide what looks like a secret in all that is shown, and what a terminal would act on; what is compared keeps its values."""

import json
import re
import shlex
import unicodedata
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"
# "key" counts as a word only: neither KEYCLOAK_URL nor a keyboard is one.
SECRET = re.compile(
    r"(?i:passw|passphrase|pwd|secret|token|credential|authorization)"
    r"|(?<![A-Za-z])(?i:pass)(?![A-Za-z])|[Kk]eys?(?![a-z])|KEYS?(?![A-Z])"
)
# These name a Swarm secret, or the file that a secret is in.
HARMLESS = frozenset({"Secrets", "SecretName", "SecretID", "SSL_KEY", "dns_credentials"})
HARMLESS_PATHS = ("certs.key",)
ASSIGNMENT = re.compile(r"(-{0,2}[A-Za-z_][\w.-]*)=(.+)", re.DOTALL)
IN_LINE = re.compile(r"([A-Za-z_][\w.-]*)=([^\s…]+)")
# Control characters, format characters (those of direction among them), halves of pairs, and ends of lines and paragraphs.
ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# A user's password, to the last @ before the path; of HTTP also what stands alone there, as a token does.
IN_URL = re.compile(r"((?i:https?)://(?:[^/\s:@]*:)?|\w://[^/\s:@]*:)[^/\s]+@")


def hidden(value: Any, path: str = "") -> Any:
    """Return a value as it may be shown; `path` is where it is, in names with dots between them."""
    if value in (None, "", [], {}) or isinstance(value, bool):
        return value
    if not path.endswith(HARMLESS_PATHS) and any(_is_secret(name) for name in re.split(r"[.\[\]]+", path)):
        return _references(value)
    if isinstance(value, Mapping):
        return {key: hidden(part, f"{path}.{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(part, path) for part in value]
    return _text(value) if isinstance(value, str) else value


def in_command(command: str) -> str:
    """Return a command as it may be shown."""
    words = {word: _text(word) for word in shlex.split(command)}
    for word, shown in words.items():
        if word != shown:
            command = command.replace(shlex.quote(word), shlex.quote(shown))
    return command


def in_line(line: str) -> str:
    """Return a line that some program has written as it may be shown."""
    shown = IN_LINE.sub(lambda found: f"{found[1]}={HIDDEN if _is_secret(found[1]) else in_line(found[2])}", line)
    return IN_URL.sub(rf"\1{HIDDEN}@", shown)


def visible(text: str) -> str:
    """Return a text with what a terminal acts on, or shows in another order, written out: names are what people choose."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one in "\n\t" or unicodedata.category(one) not in ACTING else _written(one) for one in text)


def _written(one: str) -> str:
    return one.encode("unicode_escape").decode()


def _is_secret(name: str) -> bool:
    return name not in HARMLESS and SECRET.search(name) is not None


def _references(value: Any) -> Any:
    """Return what stands for a secret: a reference to one, as hosts.toml has it, says only its name."""
    return value if isinstance(value, Mapping) and set(value) == {"secret"} else HIDDEN


def _text(text: str) -> str:
    """Return a string without the secret that NAME=value, JSON or an address has in it."""
    if found := ASSIGNMENT.fullmatch(text):
        name, value = found.groups()
        return f"{name}={HIDDEN if _is_secret(name) else _text(value)}"
    if text.startswith(("{", "[")):
        return _json(text)
    return in_line(text)


def _json(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return in_line(text)
    shown = hidden(value)
    return text if shown == value else json.dumps(shown, separators=(",", ":"))
