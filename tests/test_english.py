"""Unidiomatic phrases stay out of templates, messages, docstrings, comments and documents (CONTRIBUTING.md, Words)."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOUNS = (
    "JSON|TOML|YAML|folder|file|number|picture|image|index|mask|class|classifier|tensor|network|array|label|feature"
    "|list|text|table|replica|member|proof|standard|fault|defect|KEY"
)
REFUSED = (
    rf"(?<![Tt]here )\b(?:is|are|was) no (?:{NOUNS})\b",
    r"\bha(?:s|ve) not (?:its|the|that|a|an)\b",
    r"\bof today\b",
    r"\b(?:to be|can be|cannot be|are|is) had\b",
    r"\bat hand\b",
    r"\ba (?:line|row|file|column|case|test|value|question) a (?:line|row|file|column|case|sample|class|person|risk)\b",
    r"\bby heart\b",
    r"\bwithout a word\b",
    r"\bnobody (?:knows|writes|else's)\b",
    r"\bgoes by\b",
    # Only `image` is used in prose; the parameter and the key `pictures` keep their names.
    r"""(?<![`\w./"'{\[-])(?<!make )[Pp]ictures?\b(?![`"'\]}(_/]|\.\w|  | =)""",
    r"\bless (?:its|the|that of|those of|this model's)\b",
)
PATTERN = re.compile("|".join(REFUSED))
LAYOUT = re.compile(r"""["']\s*\n\s*[rf]?["']|\s*\n\s*(?:#:? ?)?""")
"""The break between two lines of a literal or a comment."""
THIS = Path(__file__).relative_to(ROOT)


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern) if path.relative_to(ROOT) != THIS)


def words_of(path: Path) -> str:
    """The comments and strings of a Python file; the full text of any other file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    kinds = (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1), tokenize.NL, tokenize.NEWLINE)
    return "".join(
        token.string if token.type in kinds[:3] else "\n" if token.type in kinds[3:] else " \0 "
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
    )


@pytest.mark.parametrize("part", ["audit", "probes", "reports", "tests", "benchmarks", "examples", "documents"])
def test_no_unidiomatic_phrase_is_used(part: str) -> None:
    found = (
        files("*.md", "docs/*.md")
        if part == "documents"
        else files(f"{part}/**/*.py", f"{part}/**/en.toml", f"{part}/**/*.html")
    )
    assert found
    told = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in found
        for match in PATTERN.finditer(LAYOUT.sub(" ", words_of(path)))
    }
    assert sorted(told) == []
