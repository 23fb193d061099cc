"""Forgetting: what the audited model lost of its source's task, and of its source's robustness."""

from probes.forgetting.probe import Forgetting

__all__ = ["Forgetting"]
