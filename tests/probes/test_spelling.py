"""Which names are the same name, written differently."""

from __future__ import annotations

import pytest

from probes.spelling import plain


@pytest.mark.parametrize(
    "names",
    [
        ("P1", "p1", " p 1 ", "Ｐ１", "p\u200b1"),
        ("7", "007", "7.0", "7.", "+7", "７", "\u0667", "7.000"),
        ("0", "-0", "000", "0.0", "-0.0"),
        ("-7", "\u22127", "-007.0"),
        ("12345678901234567891", "012345678901234567891.0"),
        ("caf\u00e9", "CAFE\u0301"),
        ("Straße", "STRASSE"),
        ("north-east", "North\u2013East", "north \u2010 east"),
    ],
)
def test_names_that_differ_only_in_how_they_are_written_are_one(names: tuple[str, ...]) -> None:
    assert len({plain(name) for name in names}) == 1


@pytest.mark.parametrize(
    "names",
    [
        ("A01", "A1", "A-1"),
        ("1.1", "1.10", "1.01", "11"),
        ("7", "-7", "70", "0.7", "7e0"),
        ("1,000", "1000", "1.000,0"),
        ("12345678901234567891", "12345678901234567892"),
        ("cafe", "caf\u00e9"),
        ("", "-", "+", "."),
    ],
)
def test_names_that_differ_in_anything_else_stay_apart(names: tuple[str, ...]) -> None:
    assert len({plain(name) for name in names}) == len(names)
