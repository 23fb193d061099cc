"""An attack of somebody else's: a distribution on the path, with its entry point in the group `audit.attacks`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from probes.errors import PluginError
from probes.membership import Membership
from tests.probes.membership.worlds import World

ATTACK = """
import numpy as np

def doubled(target):
    return 2 * target.answers.margin[0].astype(float)

def unfit(target):
    return np.zeros(3)

def unable(target):
    return None

def broken(target):
    raise KeyError("weights")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Puts a distribution with these entry points where Python looks for distributions."""

    def install(**attacks: str) -> None:
        (tmp_path / "their_attacks.py").write_text(ATTACK)
        info = tmp_path / "their_attacks-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-attacks\nVersion: 1.0\n")
        lines = [f"{name} = {where}" for name, where in attacks.items()]
        (info / "entry_points.txt").write_text("\n".join(["[audit.attacks]", *lines, ""]))
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def run() -> dict[str, float]:
    result = Membership(repeats=4)(World(leak=1.5, seed=0).evidence(), np.random.default_rng(0))
    assert result.findings[0].values["tried"] == sum(one.name.startswith("attack.") for one in result.estimates)
    return {one.name.split(".")[1]: one.value for one in result.estimates if one.name.startswith("attack.")}


def test_an_installed_attack_is_run_reported_and_paid_for(installed) -> None:  # type: ignore[no-untyped-def]
    before = run()
    installed(doubled="their_attacks:doubled", unable="their_attacks:unable")
    after = run()
    assert set(after) == set(before) | {"doubled"}
    assert after["doubled"] == before["loss"]  # with two classes φ and log p rank alike


@pytest.mark.parametrize(
    ("name", "where", "says"),
    [
        ("mine", "their_attacks:missing", "cannot be imported: AttributeError"),
        ("mine", "their_attacks:unfit", r"gave scores of shape \(3,\), expected \(120,\)"),
        ("mine", "their_attacks:broken", "does not run: KeyError: 'weights'"),
    ],
)
def test_what_does_not_work_is_named(installed, name: str, where: str, says: str) -> None:  # type: ignore[no-untyped-def]
    installed(**{name: where})
    with pytest.raises(PluginError, match=f"attack '{name}' of their-attacks: {says}"):
        run()


def test_a_name_that_is_taken_is_refused(installed) -> None:  # type: ignore[no-untyped-def]
    installed(loss="their_attacks:doubled")
    with pytest.raises(PluginError, match="attack 'loss': their-attacks and transfer-audit register two"):
        run()
