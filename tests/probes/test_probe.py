from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from probes import registry
from probes.errors import PluginError
from probes.probe import PROBES


def offer(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    monkeypatch.setattr(registry, "_installed", lambda group, places: tuple(EntryPoints(entries).select(group=group)))


def test_the_built_in_probes_come_in_by_the_door() -> None:
    found = PROBES.all()
    assert {"membership", "overfitting", "drift"} <= set(found)
    for name, kind in found.items():
        one = kind()
        assert one.name == name
        assert one.risk.endswith("?")
        assert dataclasses.is_dataclass(kind)
        hash(one)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("no.such.module:Probe", "cannot be imported"),
        ("math:pi", "no probe|not a probe"),
        ("probes.plan:Splits", "not a probe"),
    ],
)
def test_an_invalid_probe_is_named(monkeypatch: pytest.MonkeyPatch, value: str, says: str) -> None:
    offer(monkeypatch, EntryPoint(name="mine", value=value, group=PROBES.group))
    with pytest.raises(PluginError, match=says) as caught:
        PROBES.all()
    assert "'mine'" in str(caught.value)


def test_a_taken_or_wrong_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    value = "probes.membership:Membership"
    offer(monkeypatch, *(EntryPoint(name="membership", value=value, group=PROBES.group) for _ in range(2)))
    with pytest.raises(PluginError, match="register two"):
        PROBES.all()
    offer(monkeypatch, EntryPoint(name="other", value=value, group=PROBES.group))
    with pytest.raises(PluginError, match="calls itself 'membership'"):
        PROBES.all()
