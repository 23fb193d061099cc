from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from audit.cli.validate import configuration
from audit.config.audit_config import check_config
from probes.errors import ConfigError

TEXT = '[gate]\nprofile = "strict"\n'


def test_a_pinned_configuration_is_that_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "audit.toml"
    file.write_text(TEXT)
    pinned = f"{file}@sha256:{hashlib.sha256(TEXT.encode()).hexdigest()}"
    assert configuration(Path(pinned), None).gate_section.profile == "strict"
    assert check_config(pinned).path == file
    file.write_text(TEXT.replace("strict", "none"))
    with pytest.raises(ConfigError, match="not the file that was pinned"):
        check_config(pinned)


@pytest.mark.parametrize("digest", ["", "abc", 64 * "A", 65 * "0", 64 * "0" + "/x"])
def test_a_pin_must_be_a_digest(tmp_path: Path, digest: str) -> None:
    (tmp_path / "audit.toml").write_text(TEXT)
    with pytest.raises(ConfigError, match="64 lower-case hexadecimal digits"):
        check_config(f"{tmp_path / 'audit.toml'}@sha256:{digest}")
