"""Read `hosts.toml` into frozen, validated values, or say everything that is wrong with it."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from swarmhub.errors import Problem, SettingsError
from swarmhub.plan.hidden import in_line
from swarmhub.settings.schema.clashes import clashes
from swarmhub.settings.schema.clashes.volumes import Key
from swarmhub.settings.schema.model import Settings

__all__ = ["Settings", "current", "load", "path", "read_ca", "read_text"]

# What these were called in earlier states of the project.
RENAMED: dict[Key, str] = {
    ("walls",): "[firewall], and its key apart is firewall.isolate_servers",
    ("firewall", "apart"): "firewall.isolate_servers",
}
CERTIFICATE, PRIVATE = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"
EXAMPLE = '[hosts]\nmanagers = ["swarm-manager1"]'


def path() -> Path:
    """Return the file in use: `SWARMHUB_HOSTS`, or `hosts.toml` in this folder."""
    return Path(os.environ.get("SWARMHUB_HOSTS") or "hosts.toml")


@cache
def current() -> Settings:
    """Return the settings of the file in use, read once."""
    return load(path())


def load(file: Path) -> Settings:
    """Read and check `file`; paths in it count from its folder.

    Raises:
        SettingsError: with every problem found.

    """
    text = read_text(file, "start from the project's own hosts.toml, or let SWARMHUB_HOSTS name yours")
    if not text.strip():
        raise SettingsError(Problem(str(file), 1, "", f"is empty; it names at least the hosts: {EXAMPLE!r}"))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, wrong = _where(str(error), text)
        raise SettingsError(Problem(str(file), line, "", f"is not TOML: {wrong}")) from None
    problems: dict[Key, str] = dict(clashes(data))
    try:
        settings = Settings.model_validate(data, context={"folder": file.resolve().parent})
    except ValidationError as error:
        problems |= dict(_wrongs(error))
    if problems:
        from swarmhub.settings.lines import line_of, positions  # only a broken file pays for the parser

        found = positions(text)
        # A value that is refused may be an address with a password: it is shown without.
        told = {key: in_line(wrong) for key, wrong in problems.items()}
        raise SettingsError(*(Problem(str(file), line_of(key, found), _dotted(key), wrong) for key, wrong in told.items()))
    return settings


def read_text(file: Path, missing: str) -> str:
    """Read a text file that people edit, without what Windows editors add.

    Raises:
        SettingsError: it is not there, not UTF-8, or has a byte order mark or carriage returns.

    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise SettingsError(Problem(str(file), 1, "", f"{(error.strerror or str(error)).lower()}; {missing}")) from None
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise SettingsError(Problem(str(file), 1, "", "starts with a byte order mark; save it as UTF-8 without BOM"))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SettingsError(Problem(str(file), line, "", "is not UTF-8; save it as UTF-8")) from None
    if "\r" in text:
        line = text[: text.index("\r")].count("\n") + 1
        wrong = f"has carriage returns; save it with Unix line ends: sed -i 's/\\r$//' {file}"
        raise SettingsError(Problem(str(file), line, "", wrong))
    return text


def read_ca(file: Path, key: str) -> str:
    """Read the certificates of authorities; the setting `key` names the file.

    Raises:
        SettingsError: it is not there, holds no certificate in PEM, or a private key, which is nobody else's matter.

    """
    text = read_text(file, f"{key} names it") if not file.is_file() or CERTIFICATE.encode() in file.read_bytes() else ""
    if not text:
        wrong = f"holds no certificate in PEM; convert it: openssl x509 -in {file} -out NEW. {key} names it"
        raise SettingsError(Problem(str(file), 1, "", wrong))
    if PRIVATE in text:
        wrong = f"holds a private key, too; name a file with certificates alone: {key} names it"
        raise SettingsError(Problem(str(file), text[: text.index(PRIVATE)].count("\n") + 1, "", wrong))
    return text


def _where(message: str, text: str) -> tuple[int, str]:
    """Take the line out of tomllib's message, which ends in "(at line 3, column 7)"."""
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if not found:
        return text.count("\n") + 1, message.replace(" (at end of document)", " at the end of the file")
    return int(found[1]), f"{message[: found.start()]} at column {found[2]}"


def _wrongs(error: ValidationError) -> Iterator[tuple[Key, str]]:
    details = error.errors(include_url=False)
    for detail in details:
        # Of a list it counts the right values only, and each wrong one is told.
        if detail["type"] == "too_short" and any(one["loc"][:-1] == detail["loc"] for one in details):
            continue
        # Pydantic marks a wrong key, as against a wrong value, with one more part.
        place = tuple(part for part in detail["loc"] if part != "[key]")
        key = (*place, *detail.get("ctx", {}).get("at", ()))
        yield key, _wrong(key, detail)


def _dotted(key: Key) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")


def _wrong(key: Key, detail: ErrorDetails) -> str:
    kind, value = detail["type"], detail["input"]
    if key in RENAMED:
        return f"is now called {RENAMED[key]}"
    if kind == "extra_forbidden":
        return f"is no setting{_did_you_mean(key)}"
    if kind == "missing":
        return f"is missing{_description(key)}"
    if kind == "misplaced":
        return detail["msg"]
    if kind == "too_short":
        return "is empty; name at least one"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind.endswith("_type") or kind == "is_instance_of":
        right = _lower(detail["msg"]).replace("input should be", "it should be").replace("tuple", "array")
        return f"{value!r} is {_type_name(value)}; {right}"
    return f"{value!r}: {_lower(detail['msg'])}"


def _did_you_mean(key: Key) -> str:
    table = _table(key[:-1])
    known = list(table.model_fields) if table else []
    close = difflib.get_close_matches(str(key[-1]), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}" if known else ""


def _description(key: Key) -> str:
    table = _table(key[:-1])
    field = table.model_fields.get(str(key[-1])) if table else None
    kind = field.annotation if field else None
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        required = [name for name, value in kind.model_fields.items() if value.is_required()]
        return f": add [{key[-1]}] with {' and '.join(required or ['image'])}"
    return f": {field.description}" if field and field.description else ""


def _table(key: Key) -> type[BaseModel] | None:
    table: Any = Settings
    for part in key:
        if isinstance(part, int):  # of a list of tables all have the same keys
            table = (get_args(table) or (None,))[0]
            continue
        field = table.model_fields.get(part) if isinstance(table, type) and issubclass(table, BaseModel) else None
        table = field.annotation if field else None
    return table if isinstance(table, type) and issubclass(table, BaseModel) else None


def _type_name(value: object) -> str:
    names = {bool: "a boolean", str: "a string", int: "a number", float: "a number", list: "an array", dict: "a table"}
    return names.get(type(value), type(value).__name__)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
