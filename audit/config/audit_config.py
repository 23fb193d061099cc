"""audit.toml, or [tool.audit] in a pyproject.toml: thresholds, waivers, and the probes' parameters."""

from __future__ import annotations

import dataclasses
import datetime
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from audit.config.overrides import overridden, place
from audit.config.pinned import check_pin, unpinned
from audit.config.section import mistaken
from audit.config.toml_file import LARGEST, toml_of
from audit.storage.bounded import read_bytes, regular, text_of
from probes.errors import ConfigError, did_you_mean
from probes.message import Message, Value
from probes.probe import PROBES, Probe, ProbeType
from reports.gate.thresholds import Gate, Threshold, Waiver

Profile = Literal["strict", "default", "research", "aisvs-l3", "aisvs-l2", "none"]
TEMPLATES = Path(__file__).parent / "templates"

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""Refuses thresholds that nothing can reach, and `true`: they would not be checks."""
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ConfigTable(BaseModel):
    """A table of audit.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bound(ConfigTable):
    """At most one of max and min; instead or in addition, no worse than the baseline by a margin."""

    max: Number | None = None
    min: Number | None = None
    no_worse_than: Literal["baseline"] | None = None
    margin: Number | None = Field(default=None, gt=0)
    """In the estimate's unit; 0.02 of an accuracy is two percentage points."""
    why: Said | None = None
    """Why the bound is what it is; the report shows it."""

    @model_validator(mode="after")
    def _one(self) -> Bound:
        if self.max is not None and self.min is not None:
            raise ValueError("give one of max and min, not both")
        if self.max is None and self.min is None and self.no_worse_than is None:
            raise ValueError("give max, min, or no_worse_than")
        if (self.no_worse_than is None) != (self.margin is None):
            raise ValueError('no_worse_than = "baseline" and a margin > 0 belong together')
        return self

    def thresholds(self, probe: str, estimate: str, *, optional: bool) -> list[Threshold]:
        """Thresholds against numbers, and against the baseline."""
        make = partial(Threshold, probe=probe, estimate=estimate, why=self.why or "")
        found = []
        if self.max is not None:
            found.append(make(direction="max", bound=self.max, optional=optional))
        if self.min is not None:
            found.append(make(direction="min", bound=self.min, optional=optional))
        if self.margin is not None:
            found.append(make(direction="max", bound=self.margin, against="baseline"))
        return found


class ProfileBound(Bound):
    required: bool = False
    """If this audit has no such estimate, the check is undecided rather than omitted."""
    unless: str = ""
    """An estimate that other kinds of model have in its place: beside it, a missing estimate is omitted."""

    def thresholds(self, probe: str, estimate: str, *, optional: bool) -> list[Threshold]:
        found = super().thresholds(probe, estimate, optional=optional)
        return [dataclasses.replace(one, required=self.required, unless=self.unless) for one in found]


class GateSection(ConfigTable):
    profile: Profile = "default"
    on_undecided: Literal["stop", "warn", "fail"] = "stop"
    level: Number = Field(default=0.95, gt=0.5, lt=1)
    """1 − level is the error rate of the whole gate, and one-sided for a pass."""
    history: Path | None = None
    """A folder of audits, relative to this file's: a run is compared with the last release in it."""


def _day(value: object) -> object:
    """A date in TOML or ISO 8601 format: no time of day, no number of seconds."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return value
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    raise ValueError("a waiver expires on a date: expires = 2026-12-31")


class WaiverSection(ConfigTable):
    probe: str
    estimate: str
    reason: Said
    expires: Annotated[datetime.date, BeforeValidator(_day)]
    """The last day, in UTC, on which it is valid."""


class ExpectSection(ConfigTable):
    """The model's known measurements, checked when it is loaded: accuracies as shares, losses in nats."""

    held_out_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    member_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    held_out_log_loss: Annotated[float, Field(ge=0)] | None = None
    member_log_loss: Annotated[float, Field(ge=0)] | None = None
    tolerance: Annotated[float, Field(gt=0)] = 0.02

    @property
    def measures(self) -> dict[str, float]:
        """Those that are given."""
        return {name: value for name, value in self if value is not None and name != "tolerance"}


class Config(ConfigTable):
    expect: ExpectSection = ExpectSection()
    gate_section: GateSection = GateSection()
    thresholds: dict[str, dict[str, Bound]] = {}
    waivers: tuple[WaiverSection, ...] = ()
    parameters: dict[str, dict[str, Any]] = {}
    """Parameters by probe; `enabled = false` switches a probe off."""
    where: str = "the defaults"
    path: Path | None = None
    """The file it was read from."""

    def gate(self) -> Gate:
        """The profile's thresholds, replaced by the user's where both bound an estimate on the same side; a bound on
        the other side, and `no_worse_than`, are added."""
        chosen = {
            (one.probe, one.estimate, one.against, one.direction): one
            for bounds_by_probe, optional in ((_profile(self.gate_section.profile), True), (self.thresholds, False))
            for probe, bounds in bounds_by_probe.items()
            for estimate, bound in bounds.items()
            for one in bound.thresholds(probe, estimate, optional=optional)
        }
        return Gate(
            thresholds=tuple(
                dataclasses.replace(chosen[name], unit=_units().get(name[0], {}).get(name[1], ""))
                for name in sorted(chosen)
            ),
            waivers=tuple(Waiver(**dict(waiver)) for waiver in self.waivers),
            on_undecided=self.gate_section.on_undecided,
            level=self.gate_section.level,
            profile=self.gate_section.profile,
            off=tuple(sorted(name for name, one in self.parameters.items() if one.get("enabled") is False)),
            loosened=tuple(loosened(self, chosen.values())),
        )

    def spending(self, share: float) -> Config:
        """The same with `share` of the gate's error rate: for judging several models of which any that passes may be
        chosen."""
        section = self.gate_section.model_copy(update={"level": 1 - (1 - self.gate_section.level) * share})
        return self.model_copy(update={"gate_section": section})

    @property
    def history(self) -> Path | None:
        """The folder of earlier audits that the file names."""
        named = self.gate_section.history
        return None if named is None else (self.path.parent if self.path else Path()) / named

    def needs_baseline(self) -> str:
        """The first threshold relative to a baseline, as probe.estimate; empty if there is none."""
        named = [
            f"{probe} {estimate}"
            for probe, bounds in self.thresholds.items()
            for estimate, bound in bounds.items()
            if bound.no_worse_than
        ]
        return named[0] if named else ""

    def probes(self) -> list[Probe]:
        """All enabled probes with their parameters. Raises ConfigError on an unknown probe, parameter or value."""
        self._check_names()
        known = PROBES.all()
        chosen = {name: self._bounds(kind) | self.parameters.get(name, {}) for name, kind in known.items()}
        return [
            _make(known[name], parameters, f"{self.where}, [probes.{name}]")
            for name, parameters in chosen.items()
            if parameters.pop("enabled", True)
        ]

    def _bounds(self, kind: ProbeType) -> dict[str, Any]:
        """The parameters of a probe that are the gate's own bounds (`judged_at`), so that findings and failed checks
        agree."""
        bounds = {(one.probe, one.estimate): one.bound for one in self.gate().thresholds if one.against == "threshold"}
        asked = getattr(kind, "judged_at", {}).items()
        return {name: bounds[kind.name, estimate] for name, estimate in asked if (kind.name, estimate) in bounds}

    def _check_names(self) -> None:
        """Checked before any probe is imported."""
        known = PROBES.names()
        for name, parameters in self.parameters.items():
            if name not in known:
                raise ConfigError(
                    f"unknown probe {name!r}. {did_you_mean(name, known)}", where=f"{self.where}, [probes]"
                )
            if not isinstance(enabled := parameters.get("enabled", True), bool):
                raise ConfigError(
                    f"enabled = {enabled!r}: input should be true or false.", where=f"{self.where}, [probes.{name}]"
                )


def _make(kind: ProbeType, parameters: dict[str, Any], where: str) -> Probe:
    fields = {field.name for field in dataclasses.fields(kind)}
    for name in parameters:
        if name not in fields:
            raise ConfigError(f"unknown parameter {name!r}. {did_you_mean(name, fields)}", where=where)
    hints = get_type_hints(kind)
    for name, value in parameters.items():
        if (wrong := mistaken(value, hints.get(name))) is not None:
            raise ConfigError(f"{name} = {value!r}: {wrong[0].lower()}{wrong[1:]}.", where=where)
    try:
        probe: Probe = TypeAdapter(kind).validate_python(parameters)
    except ValidationError as error:
        raise ConfigError(_first(error), where=where) from None
    return probe


def loosened(config: Config, chosen: Iterable[Threshold]) -> Iterator[Message]:
    """Where a configuration is less strict than the default, one sentence each: otherwise anyone who can change the
    configuration could let any model pass."""
    section = config.gate_section
    if section.profile in ("research", "none"):
        yield Message("audit.gate-profile", {"profile": section.profile})
    if section.level < GateSection().level:
        yield Message("audit.gate-error", {"error": 1 - section.level, "default": 1 - GateSection().level})
    if section.on_undecided == "warn":
        yield Message("audit.gate-undecided")
    usual = {
        (one.probe, one.estimate, one.direction): one
        for probe, bounds in _profile("default").items()
        for estimate, bound in bounds.items()
        for one in bound.thresholds(probe, estimate, optional=True)
    }
    for one in chosen:
        default = usual.get((one.probe, one.estimate, one.direction))
        if default is None or one.against != "threshold":
            continue
        if one.bound > default.bound if one.direction == "max" else one.bound < default.bound:
            which: dict[str, Value] = {"probe": one.probe, "estimate": one.estimate, "direction": one.direction}
            yield Message("audit.gate-bound", {**which, "bound": one.bound, "default": default.bound})


@cache
def _units() -> dict[str, dict[str, str]]:
    return tomllib.loads((TEMPLATES / "units.toml").read_text(encoding="utf-8"))


@cache
def _profile(name: str) -> dict[str, dict[str, ProfileBound]]:
    content = tomllib.loads((TEMPLATES / "profiles.toml").read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, dict[str, ProfileBound]]).validate_python(content[name])


def load(path: Path | None, start: Path, changes: Sequence[str] = ()) -> Config:
    """The given file, else audit.toml or pyproject.toml's [tool.audit] in `start`, else the defaults.

    `changes` replace single values: "probes.membership.repeats=16".

    A `path` may end in `@sha256:HEX`, the digest that the file must have.

    Raises ConfigError with file, key and the nearest known name.
    """
    if path is not None:
        regular(unpinned(path), ConfigError)
    for candidate in [path] if path else [start / "audit.toml", start / "pyproject.toml"]:
        file = unpinned(candidate)
        if file.is_file() and (content := _content(candidate, file)) is not None:
            found = parse(overridden(content, changes, ConfigError), place(file, changes))
            return found.model_copy(update={"path": file})
    return parse(overridden({}, changes, ConfigError), place("the defaults", changes)) if changes else Config()


def _content(path: Path, file: Path) -> dict[str, Any] | None:
    """What the file holds, which is read once and held against the path's digest; None of a pyproject.toml without
    [tool.audit]."""
    whole = read_bytes(file, LARGEST, ConfigError)
    check_pin(path, whole)
    content = toml_of(text_of(whole, file, ConfigError), str(file), ConfigError)
    return content.get("tool", {}).get("audit") if file.name == "pyproject.toml" else content


def check_config(config: str | Path | Mapping[str, Any] | Config | None = None, changes: Sequence[str] = ()) -> Config:
    """The configuration that an audit or a gate will use, read and checked: every key, name, value and waiver.

    config   an audit.toml or its content; default: the audit.toml or pyproject.toml of the working folder. A path may
             end in @sha256:HEX, the digest that the file must have
    changes  single values that replace the file's, as KEY=VALUE in TOML: "probes.membership.repeats=16"

    Returns the configuration, which every function takes as its `config`. Raises ConfigError with file, key and the
    nearest known name.

    >>> check_config({"gate": {"level": 0.9}}).gate().level
    0.9
    >>> check_config({"gate": {"levle": 0.9}})
    Traceback (most recent call last):
    ...
    probes.errors.ConfigError: config: unknown key 'gate.levle'. Did you mean 'level'?
    """
    if isinstance(config, Config):
        if changes:
            raise ConfigError("is read already.", where="config", do="Give changes= where it is read.")
        return config
    if isinstance(config, Mapping):
        return parse(overridden(config, changes, ConfigError), place("config", changes))
    return load(None if config is None else Path(config), Path.cwd(), changes)


def parse(content: dict[str, Any], where: str) -> Config:
    """Raises ConfigError."""
    names = {
        "gate": "gate_section",
        "expect": "expect",
        "probes": "parameters",
        "thresholds": "thresholds",
        "waivers": "waivers",
    }
    for key in content:
        if key not in names:
            raise ConfigError(f"unknown key {key!r}. {did_you_mean(key, names)}", where=where)
    try:
        config = Config.model_validate({names[key]: value for key, value in content.items()} | {"where": where})
    except ValidationError as error:
        raise ConfigError(_first(error), where=where) from None
    if config.parameters:
        config.probes()
    return config


SECTIONS: Mapping[str, tuple[str, type[ConfigTable]]] = {
    "gate_section": ("gate", GateSection),
    "expect": ("expect", ExpectSection),
    "thresholds": ("thresholds", Bound),
    "waivers": ("waivers", WaiverSection),
    "parameters": ("probes", ConfigTable),
}
"""The file's name for a part of Config, and its content."""


def _first(error: ValidationError) -> str:
    mistake = error.errors()[0]
    first, *rest = [str(part) for part in mistake["loc"]] or [""]
    section, known = SECTIONS.get(first, (first, Config))
    key = ".".join([section, *rest])
    if mistake["type"] != "extra_forbidden":
        return f"{key}{_said(mistake, section)}"
    if section == "thresholds" and isinstance(mistake["input"], dict):
        name = ".".join(rest[1:])
        return f'unknown key {key!r}. A name with a dot needs quotes: "{name}" = {{ max = … }}.'
    return f"unknown key {key!r}. {did_you_mean(rest[-1] if rest else first, known.model_fields)}"


def _said(mistake: ErrorDetails, section: str) -> str:
    """The mistake, with the value that was written."""
    given = str(mistake["input"])[:60]
    if mistake["type"] == "missing":
        return " is missing."
    if mistake["type"] == "literal_error":
        known = re.findall(r"'([^']+)'", mistake["ctx"]["expected"])
        return f" = {given!r} is unknown. {did_you_mean(given, known)}"
    if mistake["type"] == "tuple_type":
        return " is not a list of tables: write [[waivers]]."
    if mistake["type"] in ("model_type", "dataclass_type", "dict_type"):
        table = ": write { max = … } or { min = … }" if section == "thresholds" else ""
        return f" = {given} is not a table{table}."
    if mistake["type"] == "value_error":
        return f": {mistake['msg'].removeprefix('Value error, ')}."
    return f" = {given!r}: {mistake['msg'][:1].lower()}{mistake['msg'][1:]}."
