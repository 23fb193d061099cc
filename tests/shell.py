"""Command lines of documents, run as a reader's shell runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

QUICK = """
[tool.audit.probes]
membership = { repeats = 2 }
overfitting = { repeats = 2, learning_curve = false, capacity = false, linear_probe = false }
drift = { enabled = false }
"""
"""Few replicas, for a pyproject.toml."""


def ran(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a shell, with the command `audit` of this interpreter."""
    own = folder / "bin"
    own.mkdir(exist_ok=True)
    (own / "audit").write_text(f"#!{sys.executable}\nfrom audit.cli.start import main\nmain()\n")
    (own / "audit").chmod(0o755)
    environment = {"PATH": f"{own}{os.pathsep}{os.environ['PATH']}", "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
