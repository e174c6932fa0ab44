"""Find the line of a key in a TOML text. Asked only when there is a problem to report."""

from pathlib import Path

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from swarmhub.errors import Problem

Key = tuple[str | int, ...]


def positions(text: str) -> dict[Key, int]:
    """Map every table, key and array element to its line, counted from 1."""
    root = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
    found: dict[Key, int] = {(): 1}
    counts: dict[Key, int] = {}
    for node in root.named_children:
        if node.type == "pair":
            _pair(node, (), found)
        elif node.type in ("table", "table_array_element"):
            prefix = _key(node.named_children[0])
            if node.type == "table_array_element":
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = (*prefix, counts[prefix])
            _record(prefix, node, found)
            for child in node.named_children[1:]:
                if child.type == "pair":
                    _pair(child, prefix, found)
    return found


def line_of(key: Key, found: dict[Key, int]) -> int:
    """Return the line of `key`, or of the nearest table around it."""
    return next(found[key[:end]] for end in range(len(key), -1, -1) if key[:end] in found)


def problem(file: Path, key: Key, wrong: str) -> Problem:
    """Say what is wrong with a key, at its line or at that of the nearest table around it."""
    text = file.read_text() if file.is_file() else ""
    return Problem(str(file), line_of(key, positions(text)), ".".join(map(str, key)), wrong)


def _pair(node: Node, prefix: Key, found: dict[Key, int]) -> None:
    key = (*prefix, *_key(node.named_children[0]))
    _record(key, node, found)
    _value(node.named_children[1], key, found)


def _value(node: Node, key: Key, found: dict[Key, int]) -> None:
    if node.type == "inline_table":
        for child in node.named_children:
            if child.type == "pair":
                _pair(child, key, found)
    elif node.type == "array":
        elements = [child for child in node.named_children if child.type != "comment"]
        for index, child in enumerate(elements):
            _record((*key, index), child, found)
            _value(child, (*key, index), found)


def _key(node: Node) -> Key:
    if node.type == "dotted_key":
        return tuple(part for child in node.named_children for part in _key(child))
    text = (node.text or b"").decode()
    return (text.strip("\"'") if node.type == "quoted_key" else text,)


def _record(key: Key, node: Node, found: dict[Key, int]) -> None:
    for end in range(1, len(key) + 1):
        found.setdefault(key[:end], node.start_point[0] + 1)
