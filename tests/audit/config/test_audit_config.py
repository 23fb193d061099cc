"""Errors in an audit.toml quote what was written and say what would be valid."""

from __future__ import annotations

import tomllib

import pytest

from audit.config.audit_config import parse
from probes.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[gate]\nprofile = "strct"', "profile = 'strct' is unknown. Did you mean 'strict'?"),
        ('[gate]\non_undecided = "maybe"', "on_undecided = 'maybe' is unknown. Known: fail, stop, warn."),
        ("[gate]\nlevel = 0.9\nprofil = 1", "unknown key 'gate.profil'. Did you mean 'profile'?"),
        ('[thresholds.p]\n"a.b" = 0.6', "thresholds.p.a.b = 0.6 is not a table: write { max = … } or { min = … }."),
        ('[thresholds.p]\n"a.b" = { max = 0.6, min = 0.5 }', "thresholds.p.a.b: give one of max and min, not both."),
        ('[thresholds.p]\n"a.b" = { max = nan }', "thresholds.p.a.b.max = 'nan': input should be a finite number."),
        ('[thresholds.p]\n"a.b" = { max = inf }', "thresholds.p.a.b.max = 'inf': input should be a finite number."),
        ('[thresholds.p]\n"a.b" = { max = true }', "thresholds.p.a.b.max = 'True': input should be a valid number."),
        ("[thresholds.p]\na.b = { max = 0.6 }", 'A name with a dot needs quotes: "a.b" = { max = … }.'),
        ("[gate]\nlevel = 95", "gate.level = '95': input should be less than 1."),
        ("[gate]\nlevel = 0.05", "gate.level = '0.05': input should be greater than 0.5."),
        ("gate = 3", "gate = 3 is not a table."),
        ("[waivers]\nprobe = 'p'", "waivers is not a list of tables: write [[waivers]]."),
        (
            '[[waivers]]\nprobe = "p"\nestimate = "a"\nreason = " "\nexpires = 2027-01-01',
            "waivers.0.reason = ' ': string should have at least 1 character.",
        ),
        ('[thresholds.p]\n"a.b" = { max = "high" }', "thresholds.p.a.b.max = 'high': input should be a valid number"),
        ('[[waivers]]\nprobe = "p"\nestimate = "a"', "waivers.0.reason is missing."),
        (
            '[[waivers]]\nprobe = "p"\nestimate = "a"\nreason = "r"\nexpires = "soon"',
            "waivers.0.expires: a waiver expires on a date: expires = 2026-12-31.",
        ),
    ],
)
def test_one_line_says_what_was_written(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(tomllib.loads(text), "audit.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("audit.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("probe", "parameter", "said"),
    [
        ("membership", "repeats = 0", "repeats = '0': input should be greater than or equal to 1."),
        ("drift", "box_sizes = [1.5]", "box_sizes.0 = '1.5': input should be less than 1."),
        ("overfitting", "level = 95", "level = '95': input should be less than 1."),
    ],
)
def test_a_probes_parameters_have_ranges(probe: str, parameter: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(tomllib.loads(f"[probes.{probe}]\n{parameter}"), "audit.toml")
    assert str(caught.value) == f"audit.toml, [probes.{probe}]: {said}"


@pytest.mark.parametrize(
    ("said", "bound"),
    [
        ("", 0.3),
        ('[gate]\nprofile = "strict"', 0.25),
        ('[thresholds.drift]\n"checkpoint.shortcut_excess" = { max = 0.4 }', 0.4),
        ("[probes.drift]\ndecides = 0.2", 0.2),
    ],
)
def test_what_a_probe_finds_and_what_the_gate_fails_have_one_bound(said: str, bound: float) -> None:
    (drift,) = (one for one in parse(tomllib.loads(said), "audit.toml").probes() if one.name == "drift")
    assert drift.decides == bound  # type: ignore[attr-defined]
