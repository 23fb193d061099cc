"""The Python API of what trains and probes; the command line goes through it. What only judges is in audit.results.

Imports everything below; nothing but the command line and `audit` imports it.
"""

from audit.api.auditing import run
from audit.api.caching import Cached, cache
from audit.api.finetuning import Finetuned, finetune
from audit.api.mitigating import mitigate
from audit.api.planning import plan
from audit.api.planting import canaries
from audit.api.populating import populate

__all__ = ["Cached", "Finetuned", "cache", "canaries", "finetune", "mitigate", "plan", "populate", "run"]
