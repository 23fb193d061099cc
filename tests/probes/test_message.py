"""Messages are values, and each language says them with its own template."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.errors import InputError, PluginError
from probes.message import Message
from probes.result import Finding
from probes.texts import Texts, texts

ENGLISH = Texts(
    {
        "rooms": {
            "messages": {
                "rooms.full": "The {whom:term} room holds {share:.1%} of {names:list}.",
                "rooms.count": {"one": "One chair.", "other": "{count} chairs."},
                "rooms.both": "First: {first} Then: {second}",
                "rooms.inside": "{part.__class__}",
            },
            "findings": {"rooms.cold": {"claim": "It is {degrees:.1f} degrees."}},
        }
    }
)
CHINESE = Texts(
    {
        "rooms": {
            "messages": {"rooms.full": "{whom:term}房间容纳了{names:list}的{share:.1%}。"},
            "findings": {"rooms.cold": {"claim": "气温 {degrees:.1f} 度。"}},
            "words": {"left": "左侧"},
        },
        "reports": {"ui": {"comma": "、", "and": "和"}},
    },
    ENGLISH,
)
FULL = Message("rooms.full", {"whom": "left", "share": 0.25, "names": ("a", "b", "c")})


def test_each_language_says_a_message_in_its_own_words() -> None:
    assert ENGLISH.say(FULL) == "The left room holds 25.0% of a, b and c."
    assert CHINESE.say(FULL) == "左侧房间容纳了a、b和c的25.0%。"


def test_a_missing_text_falls_back_to_english_and_then_to_its_code() -> None:
    assert CHINESE.say(Message("rooms.count", {"count": 2})) == "2 chairs."
    assert CHINESE.say(Message("rooms.none")) == "rooms.none"
    assert ENGLISH.say(Message("rooms.full")) == "rooms.full"
    assert not ENGLISH.says(Message("rooms.full"))


def test_one_is_counted_as_one() -> None:
    assert ENGLISH.say(Message("rooms.count", {"count": 1})) == "One chair."


def test_messages_may_contain_messages() -> None:
    both = Message("rooms.both", {"first": Message("rooms.count", {"count": 3}), "second": "nothing."})
    assert ENGLISH.say(both) == "First: 3 chairs. Then: nothing."
    assert hash(both) == hash(Message("rooms.both", dict(both.values)))


def test_templates_reach_into_no_value() -> None:
    assert ENGLISH.say(Message("rooms.inside", {"part": 1})) == "rooms.inside"


def test_plain_text_is_said_as_it_is() -> None:
    assert CHINESE.say("100% {of} it") == "100% {of} it"
    assert CHINESE.say(None) == ""


def test_a_claim_is_said_by_its_template_else_as_its_probe_said_it() -> None:
    def cold(**more: object) -> Finding:
        return Finding(code="rooms.cold", severity="low", **more)  # type: ignore[arg-type]

    assert CHINESE.claim(cold(values={"degrees": 3.14})) == "气温 3.1 度。"
    assert CHINESE.claim(cold(values={"degrees": 3.14}, claim="It is 3.1 degrees.")) == "气温 3.1 度。"
    assert CHINESE.claim(cold(values={"degrees": 3.14}, claim="It is cold.")) == "It is cold."
    assert CHINESE.claim(cold(claim="It is cold.")) == "It is cold."
    assert CHINESE.claim(Finding(code="rooms.dark", severity="low")) == "rooms.dark"


def test_two_packages_with_one_code_are_refused() -> None:
    with pytest.raises(PluginError, match=r"rooms\.full"):
        Texts({"a": {"messages": {"rooms.full": "x"}}, "b": {"messages": {"rooms.full": "y"}}})


def test_a_finding_of_an_unknown_method_names_file_and_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "their_texts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-texts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[audit.texts]\nrooms = rooms_of_theirs\n")
    (tmp_path / "rooms_of_theirs" / "text").mkdir(parents=True)
    (tmp_path / "rooms_of_theirs" / "__init__.py").touch()
    content = '[findings."rooms.cold"]\nclaim = "It is cold."\nmethod = "thermometer"\n'
    (tmp_path / "rooms_of_theirs" / "text" / "en.toml").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match=r"'rooms' of their-texts: en\.toml has no \[methods\.thermometer\]"):
        texts.__wrapped__("en")


def test_a_probe_has_its_own_titles_and_terms_before_those_of_others() -> None:
    both = Texts({"a": {"words": {"low": "A"}}, "b": {"words": {"low": "B"}}})
    assert (both.term("low", "a"), both.term("low", "b"), both.term("low")) == ("A", "B", "A")


def test_unknown_languages_are_wrong_use() -> None:
    with pytest.raises(InputError, match="no language"):
        texts("tlh")
