"""Ctrl-C is one line and its exit code, wherever it comes."""

import sys

import pytest

from audit import review
from audit.cli import main


def test_ctrl_c_in_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(review, "list_probes", interrupted)
    monkeypatch.setattr(sys, "argv", ["audit", "probes"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "audit: interrupted; what was done is kept.\n"
