"""A module that is imported when it is used."""

from __future__ import annotations

import subprocess
import sys

TRIED = """
import sys
from audit.runtime.late_imports import when_used
when_used("numpy.f2py")
import numpy, scipy.special
assert "numpy.f2py.crackfortran" not in sys.modules
assert callable(numpy.f2py.run_main)
assert "numpy.f2py.crackfortran" in sys.modules
before = sys.modules["numpy.f2py"]
when_used("numpy.f2py")
when_used("numpy.no_such_module")
assert sys.modules["numpy.f2py"] is before
"""


def test_a_module_is_imported_when_an_attribute_is_asked_for_and_stays_itself() -> None:
    subprocess.run([sys.executable, "-c", TRIED], check=True)
