"""Messages in results.json: each is written in English in its place, and once in the table `messages` as code and
values.

So a reader of the file needs no templates, and a report can be made from it in any language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.message import Message, Text, decoded, encoded
from probes.texts import texts

PLACES = frozenset({"because", "caption", "caveat", "columns", "decided_by", "examined", "headings", "notes", "title"})
"""Fields that may hold messages."""


def written(content: Any, table: dict[str, Any]) -> Any:
    """The content with every message in English; `table` records the code and values of each."""
    if isinstance(content, Message):
        text = texts("en").say(content)
        table.setdefault(text, encoded(content))
        return text
    if isinstance(content, Mapping):
        return {name: written(item, table) for name, item in content.items()}
    if isinstance(content, list | tuple):
        return [written(item, table) for item in content]
    return content


def read(content: Any, table: Mapping[str, Any], place: str = "") -> Any:
    """The content with the messages that `written` recorded. A text that its current template would render differently
    is kept, because another version wrote it."""
    if isinstance(content, str):
        return _message(content, table[content]) if place in PLACES and content in table else content
    if isinstance(content, Mapping):
        inside = place == "columns"
        return {name: read(item, table, place if inside else name) for name, item in content.items()}
    if isinstance(content, list):
        return [read(item, table, place) for item in content]
    return content


def _message(text: str, content: Mapping[str, object]) -> Text:
    message = decoded(content)
    return message if isinstance(message, Message) and texts("en").say(message) == text else text
