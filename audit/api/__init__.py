"""The Python API of everything that trains and probes; the command line goes through it. Judging alone is in
audit.results.

Imports everything below; only the command line and `audit` import it.
"""

from audit.api.auditing import run
from audit.api.caching import Cached, cache
from audit.api.finetuning import Finetuned, finetune
from audit.api.mitigating import mitigate
from audit.api.planning import plan
from audit.api.planting import canaries
from audit.api.populating import populate

__all__ = ["Cached", "Finetuned", "cache", "canaries", "finetune", "mitigate", "plan", "populate", "run"]
