"""Two clients of a network file system train one population into one store at once: nothing is lost, and both have what
one machine alone has. Needs FUSE and fusepy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audit.population.populate import populate
from audit.storage.store import ANSWERS, Store
from tests.audit.conftest import small_experiment
from tests.audit.population.populations import rows_for

LATE = 2.0
"""Seconds after which a client sees what another did."""
CLIENT = """
import sys, warnings
from pathlib import Path
import numpy as np
from audit.population.populate import populate
from audit.storage.store import ANSWERS, Store
from tests.audit.conftest import small_experiment
from tests.audit.population.populations import rows_for
warnings.simplefilter("error")
experiment = small_experiment()
for run in range(3):
    found = populate(experiment, rows_for(experiment), store=Store(Path(sys.argv[1])), workers=1).population.answers
np.savez(sys.argv[2], **{name: getattr(found, name) for name in ANSWERS})
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[list[Path]]:
    try:
        import fuse  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("needs fusepy and libfuse")
    if not os.access("/dev/fuse", os.W_OK) or shutil.which("umount") is None:
        pytest.skip("needs /dev/fuse")
    found, servers = [tmp_path / "one", tmp_path / "other"], []
    (tmp_path / "shared").mkdir()
    for mount in found:
        mount.mkdir()
        line = [sys.executable, "-m", "tests.audit.storage.network_client", str(tmp_path / "shared"), str(mount)]
        servers.append(subprocess.Popen([*line, str(LATE)]))
    until = time.monotonic() + 60
    while not all(os.path.ismount(mount) for mount in found) and time.monotonic() < until:
        time.sleep(0.1)
    yield found
    for mount in found:
        subprocess.run(["umount", str(mount)], check=False)
    for server in servers:
        server.wait(60)


@pytest.mark.slow
def test_two_clients_of_one_store_lose_nothing_and_agree(mounts: list[Path], tmp_path: Path) -> None:
    outs = [tmp_path / f"{mount.name}.npz" for mount in mounts]
    clients = [
        subprocess.Popen([sys.executable, "-c", CLIENT, str(mount / "store"), str(out)])
        for mount, out in zip(mounts, outs, strict=True)
    ]
    assert [client.wait(300) for client in clients] == [0, 0]
    experiment = small_experiment()
    rows = rows_for(experiment)
    alone = populate(experiment, rows, store=Store(tmp_path / "alone"), workers=1).population.answers
    for out in outs:
        with np.load(out) as found:
            assert all(np.array_equal(found[name], getattr(alone, name)) for name in ANSWERS)
    here = {entry.key: entry.path for entry in Store(tmp_path / "shared" / "store").entries()}
    assert {entry.key for entry in Store(tmp_path / "alone").entries()} == set(here)
    assert all(Store(tmp_path / "shared" / "store").get(key) is not None for key in here)
