"""The validator of results.json: the published JSON Schema, and constraints that a schema cannot express."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from probes.errors import InputError
from reports.plain import must_be_plain

MOST = 5_000_000
"""Largest number of values in a results.json: a chart has thousands, a gallery's images are one string each."""
LONGEST = 50_000_000
LOWEST_LEVEL, HIGHEST_LEVEL = 0.01, 1 - 1e-12
LARGEST = 1e18
"""Largest count."""


def parse_json(text: str, where: str, error: type[InputError], *, most: int = MOST) -> Any:
    """JSON of bounded depth and size, with each key once, without NaN. Raises `error`."""
    try:
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise error("is nested too deeply.", where=where) from None
    except ValueError as wrong:  # a number with thousands of digits does not raise JSONDecodeError
        raise error(
            f"is not JSON, or is truncated: {str(wrong)[:200]}.", where=where, do="Run the audit again."
        ) from None
    must_be_plain(content, where, error, most=most, longest=LONGEST)
    return content


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {max(names, key=names.count)!r} occurs twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def validate(content: Mapping[str, Any], where: str, error: type[InputError]) -> None:
    """Raises `error` with the location of the first invalid part of a results.json."""
    import fastjsonschema

    try:
        _schema()(content)
    except fastjsonschema.JsonSchemaException as wrong:
        said = str(wrong).replace("data.", "", 1)
        raise error(f"has a missing or invalid part: {said[:300]}.", where=where) from None
    for place, mistake in _beyond(content):
        raise error(f"has a missing or invalid part: {place} {mistake}.", where=where)


@cache
def _schema() -> Callable[[object], object]:
    import fastjsonschema

    text = (files("reports") / "schema" / "results.schema.json").read_text(encoding="utf-8")
    # Everything used is also in draft 7, which the compiler supports.
    schema = json.loads(text) | {"$schema": "http://json-schema.org/draft-07/schema#"}
    compiled: Callable[[object], object] = fastjsonschema.compile(schema, use_default=False)
    return compiled


def _beyond(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Constraints that a schema cannot express: (place, mistake)."""
    probes = [result["probe"] for result in content["results"]]
    for i, name in enumerate(probes):
        if name in probes[:i]:
            yield f"results[{i}]", f"is a second result of {name!r}"
    estimates = [
        (f"results[{i}].estimates[{j}]", estimate)
        for i, result in enumerate(content["results"])
        for j, estimate in enumerate(result.get("estimates", ()))
    ]
    changes = enumerate(content.get("comparison", {}).get("differences", ()))
    for place, estimate in [*estimates, *((f"comparison.differences[{i}]", one["change"]) for i, one in changes)]:
        yield from ((place, mistake) for mistake in _estimate(estimate))
    checks = enumerate(content["verdict"]["checks"])
    levels = [("verdict", content["verdict"]), *((f"verdict.checks[{i}]", check) for i, check in checks)]
    yield from ((place, f"has level {one['level']}") for place, one in levels if not _is_level(one["level"]))
    for i, result in enumerate(content["results"]):
        for figure in result.get("figures", ()):
            yield from ((f"results[{i}]", mistake) for mistake in _figure(figure))
    spending = content["audit"].get("sequential")
    share = spending.get("share_of_error", 1.0) if isinstance(spending, Mapping) else 1.0
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        yield "audit.sequential.share_of_error", "is not within 0 … 1"
    if not isinstance(content["audit"].get("probes", {}), Mapping):
        yield "audit.probes", "is not a table"


def _is_level(level: int | float) -> bool:
    return LOWEST_LEVEL <= level <= HIGHEST_LEVEL


def _estimate(estimate: Mapping[str, Any]) -> Iterator[str]:
    if not _is_level(estimate["level"]):
        yield f"has level {estimate['level']}"
    if estimate["n"] > LARGEST:
        yield "has an n beyond any count"
    if (dof := estimate["dof"]) is not None and not 0 < dof <= LARGEST:
        yield f"has {dof} degrees of freedom"
    counts = estimate["counts"]
    if counts is not None and not (0 <= counts[0] <= counts[1] <= LARGEST and counts[1] > 0):
        yield f"counts {counts[0]} successes in {counts[1]} trials"
    numbers = [estimate[name] for name in ("low", "value", "high")]
    if any(isinstance(one, int) and abs(one) > 1e300 for one in numbers):
        yield "holds a number beyond any measure"
    open_end = {"lower": "high", "upper": "low"}.get(str(estimate.get("bound")))
    if lacking := [name for name in ("low", "high") if estimate[name] is None and name != open_end]:
        yield f"has no {lacking[0]} end"
        return
    low, value, high = numbers
    if (low is not None and value < low) or (high is not None and value > high):
        yield f"holds {value:g}, which lies outside its interval of {_end(low)} to {_end(high)}"


def _end(bound: float | None) -> str:
    return "…" if bound is None else f"{bound:g}"


def _figure(figure: Mapping[str, Any]) -> Iterator[str]:
    for row in figure.get("rows", ()):
        if any(len(one) != len(row["words"]) for one in row.get("weights", ())):
            yield "has a text with more or fewer weights than words"
        if (parts := len(row.get("weights", row.get("pictures", ())))) > len(figure.get("headings", ())):
            yield f"has a row of {parts} parts under {len(figure['headings'])} headings"
        for image in row.get("pictures", ()):
            shape = image["shape"]
            # In whole numbers: a size of 1e308 is one, and would be infinite as a fraction.
            if min(shape) < 1 or 4 * -(-math.prod(map(int, shape)) // 3) != len(image["base64"]):
                yield f"has an image of shape {shape} with {len(image['base64'])} characters"
