"""Somebody else's package adds one of everything that comes in by an entry point; a broken one is one line with its
name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import audit
from audit.checkpoints.folders.base import FOLDERS, described_by, reader_of
from audit.config import recipe as recipes
from audit.config.recipe import SourceSection
from audit.data.kinds import KINDS
from audit.engines.registry import ENGINES, choose, fastest_first
from audit.models.families.base import FAMILIES
from audit.models.source import build, input_of_weights, pretrained
from audit.results.export import run_report
from audit.results.trackers import TRACKERS, log
from audit.training.experiment import Experiment
from probes.drift.shortcuts import family as shortcuts
from probes.errors import InputError, PluginError
from probes.membership.attacks import ATTACKS
from probes.message import Message
from probes.probe import PROBES
from probes.registry import Registry
from probes.result import Finding, Result
from probes.texts import texts
from reports import archive
from reports.formats.base import PLAIN
from reports.formats.registry import FORMATS, named
from reports.wording.catalogue import words
from tests.reports.sample import sample

THEIRS = """
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from audit.checkpoints.folders.base import Described
from audit.data.dataset import Dataset
from audit.data.section import DataSection
from audit.engines.full import Full
from probes import Estimate, Plan, Result
from probes.drift.shortcuts.family import Candidate, Family
from reports import Format


class Stripes(DataSection):
    kind: Literal["stripes"] = "stripes"
    width: int = 4

    def read(self, root, *, trust_code):
        inputs = np.zeros((8, self.width, self.width, 1), dtype=np.uint8)
        return Dataset(name="stripes", inputs=inputs, labels=np.arange(8) % 2, classes=("a", "b"))


class Zoo:
    def build(self, name, section, folder, *, trust_code):
        return torch.nn.Linear(int(name), 2)

    def pretrained(self, name, section, folder):
        return {"weight": torch.ones(2, int(name)), "bias": torch.zeros(2)}

    def input_of(self, name, section, folder):
        return {"size": 8, "crop": 8, "mean": (0.0,), "std": (1.0,)}


class Warp(Full):
    name = "warp"
    asked = 5

    def check(self, experiment, row):
        pass


class Crate:
    order = 1

    def recognises(self, folder):
        return (folder / "crate.txt").is_file()

    def describe(self, folder, base, *, trust_code):
        return Described(kind="crate", folder=folder, recipe={"source": {"model": "zoo:36"}})

    def weights(self, described, experiment):
        return {"weight": torch.ones(2, 36), "bias": torch.zeros(2)}


@dataclass(frozen=True, kw_only=True)
class Spots(Family):
    name: ClassVar[str] = "spots"
    modalities: ClassVar[tuple] = ("image",)

    def propose(self, seen, rng):
        return (Candidate(1, (0.0,)),)

    def transplant(self, candidate, hosts, donors, rng):
        return hosts

    def where(self, candidate, names):
        return "a spot"


@dataclass(frozen=True, kw_only=True)
class Weigh:
    models: ClassVar[dict] = {"audited": 1}

    def choose(self, pool, rng):
        return np.flatnonzero(pool.held_out)[:3]

    def __call__(self, subject, inputs, labels, rng):
        return {"weight": np.array([sum(float(one.abs().sum()) for one in subject.network.parameters())])}


@dataclass(frozen=True)
class Luck:
    name: ClassVar[str] = "luck"
    risk: ClassVar[str] = "Was it luck?"
    sides: int = 6
    needs: ClassVar[Plan] = Plan()
    observes: ClassVar[tuple] = (Weigh(),)

    def __call__(self, evidence, rng):
        weight = float(evidence.observations[Weigh()]["audited"].arrays["weight"][0])
        heavy = Estimate(name="dice.weight", value=weight, low=weight, high=weight, n=1, unit="weight")
        return Result(probe="luck", params={"sides": self.sides}, estimates=(heavy,))


def coin(target):
    return None


def note(report, kept, project):
    return f"noted {report.verdict.status} in {project}"


SHOUT = Format.of_text("shout.txt", lambda report, style: report.verdict.status.upper())
"""
GROUPS = {
    "audit.data": {"stripes": "theirs:Stripes"},
    "audit.families": {"zoo": "theirs:Zoo"},
    "audit.engines": {"warp": "theirs:Warp"},
    "audit.probes": {"luck": "theirs:Luck"},
    "audit.attacks": {"coin": "theirs:coin"},
    "audit.trackers": {"note": "theirs:note"},
    "audit.formats": {"shout": "theirs:SHOUT"},
    "audit.folders": {"crate": "theirs:Crate"},
    "audit.shortcuts": {"spots": "theirs:Spots"},
}
REGISTRIES: dict[str, Registry] = {
    one.group: one
    for one in (KINDS, FAMILIES, ENGINES, PROBES, ATTACKS, TRACKERS, FORMATS, FOLDERS, shortcuts.FAMILIES)
}

TEXTS = {"audit.texts": {"luck": "their_words"}}
WORDS = {
    "en": """
[probes.luck]
title = "Luck"
question = "Was it luck?"
[estimates]
"dice.sixes" = "share of sixes"
[findings."luck.loaded"]
claim = "Sixes came in {share:.0%} of throws."
[messages]
"luck.few" = {one = "only one throw", other = "only {count} throws"}
""",
    "zh": """
[probes.luck]
title = "运气"
question = "是运气吗？"
[estimates]
"dice.sixes" = "六点所占比例"
[findings."luck.loaded"]
claim = "掷出六点的占 {share:.0%}。"
[messages]
"luck.few" = "只掷了 {count} 次"
""",
}

Install = Callable[[dict[str, dict[str, str]]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts the package, with these entry points, where Python looks for distributions."""
    (tmp_path / "theirs.py").write_text(THEIRS)
    (tmp_path / "their_words" / "text").mkdir(parents=True)
    (tmp_path / "their_words" / "__init__.py").touch()
    for lang, content in WORDS.items():
        (tmp_path / "their_words" / "text" / f"{lang}.toml").write_text(content, encoding="utf-8")
    info = tmp_path / "their_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-parts\nVersion: 1.0\n")

    def put(groups: dict[str, dict[str, str]]) -> None:
        lines = [
            line
            for group, parts in groups.items()
            for line in (f"[{group}]", *(f"{name} = {where}" for name, where in parts.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join([*lines, ""]))
        monkeypatch.syspath_prepend(str(tmp_path))

    return put


def test_a_kind_of_data_is_named_in_a_recipe(install: Install, tmp_path: Path) -> None:
    install(GROUPS)
    content = {
        "data": {"kind": "stripes", "width": 6, "take": 4},
        "split": {"members": 2, "held_out": 2},
        "source": {"model": "zoo:36"},
    }
    made = recipes.parse(content, "recipe.toml")
    assert made.data.load(tmp_path).inputs.shape == (4, 6, 6, 1)
    assert made.model_dump()["data"]["width"] == 6
    content["data"] = {"kind": "stripes", "widht": 6}
    with pytest.raises(InputError, match=r"unknown key 'data\.widht'\. Did you mean 'width'"):
        recipes.parse(content, "recipe.toml")
    content["data"] = {"kind": "strips"}
    with pytest.raises(InputError, match=r"unknown kind 'strips'\. Did you mean 'stripes'"):
        recipes.parse(content, "recipe.toml")


def test_a_source_family_builds_has_weights_and_says_its_input(install: Install, tmp_path: Path) -> None:
    install(GROUPS)
    section = SourceSection(model="zoo:36", weights="best")
    network = build(section, tmp_path, trust_code=False)
    state = pretrained(section, tmp_path)
    assert state is not None
    network.load_state_dict(state)
    assert torch.equal(network.weight, torch.ones(2, 36))  # type: ignore[arg-type]
    assert input_of_weights(section)["size"] == 8


def test_an_engine_is_asked_in_its_turn(install: Install, experiment: Experiment) -> None:
    before = choose(experiment, experiment.audited_row()).engine.name
    install(GROUPS)
    assert [engine.name for engine in fastest_first()] == ["warp", "head", "stacked", "tail", "full"]
    assert before != choose(experiment, experiment.audited_row()).engine.name == "warp"


def test_a_probe_runs_on_what_its_observable_saw(install: Install, tmp_path: Path) -> None:
    install(GROUPS)
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    for one in network.parameters():
        torch.nn.init.ones_(one)
    data = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32), np.arange(40) % 2
    asked = {name: {"enabled": False} for name in PROBES.names()} | {"luck": {"sides": 20}}
    content = {"gate": {"profile": "none"}, "probes": asked}
    report = audit.run(network, data, members=range(20), config=content, store=tmp_path / "store")
    (result,) = report.results
    assert isinstance(result, Result), result
    assert (result.params, result["dice.weight"].value) == ({"sides": 20}, 3 * 4 + 3 + 2 * 3 + 2)


def test_an_attack_and_a_family_of_shortcuts_are_among_ours(install: Install) -> None:
    install(GROUPS)
    assert ATTACKS.load("coin")(None) is None  # type: ignore[arg-type]
    families = shortcuts.FAMILIES.all()
    assert list(families).index("spots") == sorted(families).index("spots")
    assert families["spots"].parts(shortcuts.Candidate(1)) == ()


def test_a_folder_of_theirs_is_recognised_described_and_read(install: Install, tmp_path: Path) -> None:
    (tmp_path / "crate.txt").touch()
    assert reader_of(tmp_path) is None
    install(GROUPS)
    found = reader_of(tmp_path)
    assert found is not None
    assert found[0] == "crate"
    described = described_by(found[1], tmp_path, None, trust_code=False)
    assert described.recipe["source"] == {"model": "zoo:36"}


def test_a_format_and_a_tracker_are_used_by_name(install: Install, tmp_path: Path) -> None:
    install(GROUPS)
    (tmp_path / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    run_report(tmp_path / "results.json", "shout", None, PLAIN)
    assert (tmp_path / "shout.txt").read_text() == "FAIL"
    assert named("shout,junit") == ("shout", "junit")
    assert log(tmp_path, "note", "ours") == "noted fail in ours"


@pytest.mark.parametrize("group", GROUPS)
def test_a_broken_one_is_one_line_with_its_name(install: Install, group: str) -> None:
    """It does not import, or is something else; what is built in stays usable."""
    registry = REGISTRIES[group]
    built_in = registry.names()[0]
    install({group: {"gone": "no_such_module:x", "other": "math:pi"}})
    for name, says in (("gone", "cannot be imported: ModuleNotFoundError"), ("other", "is not a")):
        with pytest.raises(PluginError, match=f"{name}' of their-parts: .*{says}") as caught:
            registry.load(name)
        assert "\n" not in str(caught.value)
    assert registry.load(built_in) is not None


@pytest.fixture
def read_anew() -> Iterator[None]:
    """Texts are read once in a process."""
    for made in (texts, words):
        made.cache_clear()
    yield
    for made in (texts, words):
        made.cache_clear()


@pytest.mark.usefixtures("read_anew")
@pytest.mark.parametrize(
    ("lang", "title", "estimate", "claim", "note"),
    [
        ("en", "Luck", "share of sixes", "Sixes came in 40 % of throws.", "only one throw"),
        ("zh", "运气", "六点所占比例", "掷出六点的占 40 %。", "只掷了 1 次"),
    ],
)
def test_a_probe_speaks_both_languages_by_its_own_files(
    install: Install, lang: str, title: str, estimate: str, claim: str, note: str
) -> None:
    install({**GROUPS, **TEXTS})
    say = words(lang)
    assert say.probe("luck", "title") == title
    assert say.estimate("dice.sixes", "luck") == estimate
    assert say.claim(Finding(code="luck.loaded", severity="low", values={"share": 0.4})) == claim
    assert say.text(Message("luck.few", {"count": 1})) == note


@pytest.mark.usefixtures("read_anew")
def test_broken_texts_are_one_line_with_their_distribution(install: Install, tmp_path: Path) -> None:
    install(TEXTS)
    file = tmp_path / "their_words" / "text" / "zh.toml"
    for content in (b"[probes.luck", b"title = '\xff'"):
        file.write_bytes(content)
        with pytest.raises(PluginError, match=r"texts 'luck' of their-parts: zh\.toml is not readable") as caught:
            words("zh")
        assert "\n" not in str(caught.value)
    install({"audit.texts": {"luck": "no_such_package"}})
    with pytest.raises(PluginError, match="texts 'luck' of their-parts: no package 'no_such_package'"):
        words("zh")
