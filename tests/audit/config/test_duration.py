"""Spans of time as people write them."""

import pytest

from audit.config.duration import seconds_of, written
from probes.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), (" 1H 5s", 3605), ("0.5h", 1800)]
)
def test_read(text: str, seconds: float) -> None:
    assert seconds_of(text, "--budget") == seconds


@pytest.mark.parametrize("text", ["", "10", "tomorrow", "0m", "-5m", "5m 1h"])
def test_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--budget.*Write 90s, 10m or 1h30m"):
        seconds_of(text, "--budget")


@pytest.mark.parametrize("seconds", [1, 59, 60, 3599, 3600, 5430])
def test_written_is_read_back(seconds: int) -> None:
    assert seconds_of(written(float(seconds)), "") == seconds
