"""Makes and audits each case, and compares the result with the truth."""

from __future__ import annotations

import dataclasses
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.checkpoints.audited_model import Audited
from audit.checkpoints.in_memory import adopt_network, code_digest, dataset_of
from audit.config import audit_config
from audit.config.recipe import Recipe, parse
from audit.config.run_settings import Settings
from audit.pipelines.auditing import audit
from audit.pipelines.classifier import Classifier
from audit.pipelines.listener import Listener
from audit.runtime.devices import check_torch
from audit.runtime.versions import versions
from audit.self_check.cases import ALARMS, CASES, Case, Specimen
from audit.training.prepare import run
from probes.errors import AuditError, InputError, Interrupted, did_you_mean
from probes.evidence import PrivacyClaim
from probes.plan import Pool
from probes.probe import PROBES
from probes.result import Failure, Result
from reports.report import Json, Report

GRAVE = ("medium", "high", "critical")
"""Severities that count as an alarm; three near copies in 450 samples do not reach them."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`found` says whether one of the required findings of a planted case was reported, None for a sound one; `false`
    are false alarms, `failed` the probes that did not run, or why there was no audit."""

    case: Case
    found: bool | None
    false: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        return self.found is not False and not self.false and not self.failed


@dataclass(frozen=True, kw_only=True)
class Selfcheck:
    """All outcomes; `ok` if every plant was found and there was no false alarm."""

    outcomes: tuple[Outcome, ...]
    seed: int

    @property
    def ok(self) -> bool:
        return all(one.ok for one in self.outcomes)

    def as_json(self) -> dict[str, Json]:
        """For the evidence pack: what this installation found, of what it should have found."""
        return {
            "tool": "transfer-audit",
            "ok": self.ok,
            "seed": self.seed,
            "versions": dict(versions()),
            "machine": f"{platform.system()} {platform.machine()}",
            "cases": [_case_json(one) for one in self.outcomes],
        }


def _case_json(one: Outcome) -> Json:
    published = one.case.published
    return {
        "case": one.case.name,
        "truth": "planted" if one.case.finds else "sound",
        "must_find_one_of": list(one.case.finds),
        "found": one.found,
        "false_alarms": list(one.false),
        "failed_probes": list(one.failed),
        "seconds": round(one.seconds, 1),
        "published": None if published is None else {**vars(published)},
    }


def selfcheck(
    names: Sequence[str] = (),
    *,
    seed: int = 0,
    workers: int = 0,
    listening: Callable[[Case], AbstractContextManager[Listener]] = lambda case: nullcontext(Listener()),
) -> Selfcheck:
    """Does this installation find what it should? Makes models with a planted fault and sound ones, audits each, and
    holds what is said against what is true. Ten minutes on two cores for all.

    names      only these cases, such as patch or never-trained; else all
    seed       root seed of every case, at least 0 (the default)
    workers    processes, 0 (the default) for one per core; never changes a number
    listening  gives the listener of each audit by its case

    Replicas are kept in a store that is removed afterwards. Returns the outcomes, `ok` where every plant was found and
    nothing else was said to be wrong. Raises InputError for a name that is no case.

    >>> selfcheck(["never-trained"]).ok  # doctest: +SKIP
    True
    >>> selfcheck(["pach"])
    Traceback (most recent call last):
    ...
    probes.errors.InputError: --case: there is no case 'pach'. Did you mean 'patch'?
    """
    check_torch()
    chosen = [_named(name) for name in names] or list(CASES)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="audit-selfcheck-") as folder:
        settings = Settings(store=Path(folder), seed=seed, workers=workers)
        for case in chosen:
            began = time.monotonic()
            with listening(case) as listener:
                said = _said(case, settings, listener)
            outcomes.append(judged(case, said, time.monotonic() - began))
    return Selfcheck(outcomes=tuple(outcomes), seed=seed)


def _said(case: Case, settings: Settings, listener: Listener) -> Report | str:
    """The report, or one line on why there is none: the other cases are still checked."""
    try:
        return audit_of(case, settings, listener)
    except Interrupted:
        raise
    except AuditError as error:
        listener.note(str(error))
        return str(error)


def _named(name: str) -> Case:
    known = {case.name: case for case in CASES}
    if name not in known:
        raise InputError(f"there is no case {name!r}. {did_you_mean(name, known)}", where="--case")
    return known[name]


def audit_of(case: Case, settings: Settings, listener: Listener) -> Report:
    """Train the case's model with its recipe, as its replicas will be, and audit it."""
    made = case.make(settings.seed or 0)
    pipeline = Classifier(trained(made, settings.seed or 0))
    return audit(pipeline, audit_config.check_config({"probes": parameters()}), settings, listener)


def parameters() -> dict[str, Mapping[str, object]]:
    """Of each probe, as it states them for audits of small models; a probe that states none is switched off."""
    stated = {name: getattr(kind, "self_check", {}) for name, kind in PROBES.all().items()}
    return {name: {"enabled": False} if values is None else values for name, values in stated.items()}


def trained(made: Specimen, seed: int) -> Audited:
    """The specimen's network after training, with its claim."""
    pool = Pool(labels=made.labels, member=made.member, held_out=made.held_out, validation=made.validation)
    dataset = dataset_of((made.inputs, made.labels), None, "selfcheck")
    recipe = _recipe(made, seed)
    about: dict[str, Any] = {"source": None, "retrains": True, "trust_code": False}
    _, experiment = adopt_network(made.network, dataset, pool, recipe, Path.cwd(), **about)
    done = run(experiment, "target", None)
    checkpoint, experiment = adopt_network(done.network, dataset, pool, recipe, Path.cwd(), **about)
    claim: PrivacyClaim | None = made.claims or (done.accounting.claim if done.accounting else None)
    return Audited(checkpoint=dataclasses.replace(checkpoint, privacy=claim, trace=done.trace), experiment=experiment)


def _recipe(made: Specimen, seed: int) -> Recipe:
    sizes = {
        "members": int(made.member.sum()),
        "held_out": int(made.held_out.sum()),
        "validation": int(made.validation.sum()),
    }
    content: dict[str, object] = {
        "name": "selfcheck",
        "seed": seed,
        "data": {"kind": "memory"},
        "split": sizes,
        "input": {"mean": (0.0,), "std": (1.0,)},
        "source": {"model": f"memory:{type(made.network).__name__}", "options": {"code": code_digest(made.network)}},
        "train": dict(made.train),
    }
    return parse(content | ({"privacy": dict(made.privacy)} if made.privacy else {}), "selfcheck")


def judged(case: Case, report: Report | str, seconds: float) -> Outcome:
    """The report compared with the truth; without a report, nothing was found."""
    if isinstance(report, str):
        return Outcome(case=case, found=False if case.finds else None, false=(), failed=(report,), seconds=seconds)
    results = [one for one in report.results if isinstance(one, Result)]
    findings = [finding for one in results for finding in one.findings]
    said = {finding.code for finding in findings}
    alarms = {finding.code for finding in findings if finding.severity in GRAVE}
    true = {*case.finds, *case.may}
    return Outcome(
        case=case,
        found=bool(said & set(case.finds)) if case.finds else None,
        false=tuple(code for code in ALARMS if code in alarms and code not in true),
        failed=tuple(one.probe for one in report.results if isinstance(one, Failure)),
        seconds=seconds,
    )
