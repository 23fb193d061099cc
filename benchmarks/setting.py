"""Code shared by the benchmarks: experiments made from arrays, and this machine's current speed of matrix
multiplication."""

import contextlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from audit.config.recipe import parse
from audit.data.dataset import Dataset
from audit.engines.base import Engine
from audit.models.source import Source
from audit.population.executors.local import execute
from audit.population.tasks import Job, Task
from audit.storage.scratch import scratch
from audit.storage.store import Store
from audit.training.experiment import Experiment
from probes.answers import Answers
from probes.large_arrays import Collected
from probes.plan import Pool, Row

INPUT = {"mean": [0.0], "std": [1.0]}


def experiment_of(inputs: np.ndarray, labels: np.ndarray, modality: Any, **sections: Any) -> Experiment:
    """All samples in the pool, the first half members; θ_s are the network's random weights."""
    classes = tuple(str(label) for label in range(int(labels.max()) + 1))
    content: dict[str, Any] = {
        "data": {"kind": "digits"},
        "split": {"members": 0.5, "held_out": 0.5},
        "input": {"mean": [0], "std": [1]},
    }
    recipe = parse(content | sections, "benchmark")
    member = np.arange(len(labels)) < len(labels) // 2
    folder = Path(__file__).parent
    blank = Source(section=recipe.source, classes=len(classes), state=None, trust_code=True, folder=folder)
    source = Source(
        section=recipe.source,
        classes=len(classes),
        state=dict(blank.network(0).state_dict()),
        trust_code=True,
        folder=folder,
    )
    return Experiment(
        recipe=recipe,
        source=source,
        dataset=Dataset(name="benchmark", inputs=inputs, labels=labels, classes=classes, modality=modality),
        pool=Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(len(labels), dtype=bool)),
        seed=0,
    )


def random_halves(samples: int, replicas: int, orders: int, rng: np.random.Generator) -> list[Row]:
    """Each replica on a random half of the samples; `orders` minibatch orders in turn."""
    rows = []
    for number in range(replicas):
        keep = np.zeros(samples, dtype=bool)
        keep[rng.permutation(samples)[: samples // 2]] = True
        rows.append(Row(design="splits", repeat=number, fold=0, order=f"order/{number % orders}", keep=keep))
    return rows


def repeated_folds(samples: int, folds: int, repeats: int, rng: np.random.Generator) -> list[Row]:
    """What an audit trains: every repeat of K-fold has its own minibatch order."""
    rows = []
    for repeat in range(repeats):
        fold_of = rng.permutation(samples) % folds
        rows += [
            Row(design="splits", repeat=repeat, fold=fold, order=f"order/{repeat}", keep=fold_of != fold)
            for fold in range(folds)
        ]
    return rows


def populate_timed(
    experiment: Experiment, rows: list[Row], folder: Path, workers: int, engine: Engine
) -> tuple[float, dict[str, Answers]]:
    """(seconds from an empty store to stored replicas, answers by row name). The time includes writing the inputs."""
    engine.check(experiment, rows[0])
    store, answers, kept = Store(folder), {}, Collected()
    began = time.perf_counter()
    tasks = [
        Task(rows=batch, keys=tuple(row.name.replace("/", "-") for row in batch), looked_into=frozenset())
        for batch in engine.together(experiment, rows)
    ]
    with scratch(folder) as place:
        materialised = engine.materialise(experiment, rows[0], place)
        for key, replica in execute(
            Job(engine=engine, materialised=materialised, tasks=tasks, folder=place), store, workers
        ):
            answers[key.replace("-", "/")] = replica.answers.each(kept.keep)
    return time.perf_counter() - began, answers


def small_gpt2(vocabulary: int, length: int, width: int, layers: int, heads: int) -> torch.nn.Module:
    """With random weights, in eval mode."""
    import transformers

    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=vocabulary,
        n_positions=length,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        bos_token_id=None,
        eos_token_id=None,
    )
    network: torch.nn.Module = transformers.GPT2LMHeadModel(config).eval()
    return network


def random_sequences(samples: int, length: int, vocabulary: int, rng: np.random.Generator) -> np.ndarray:
    """Token ids without a prompt: all but the first are scored."""
    inputs = np.stack([rng.integers(0, vocabulary, (samples, length)), np.ones((samples, length), dtype=np.int64)], 1)
    inputs[:, 1, 0] = 0
    return inputs


def gemm_peak(threads: int, size: int = 1024, seconds: float = 1.0) -> float:
    """Floating-point operations per second of `threads` independent float32 products, one thread each."""
    counts = [0] * threads
    stop = time.perf_counter() + seconds

    def work(number: int) -> None:
        torch.set_num_threads(1)
        one, other = torch.rand(size, size), torch.rand(size, size)
        while time.perf_counter() < stop:
            one @ other
            counts[number] += 1

    pool = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return 2 * size**3 * sum(counts) / seconds


class Peak(threading.Thread):
    """The largest memory of a process, this one by default, and of those that it began, while the block runs, in bytes:
    `own` is memory that nothing else backs, what forks share counted once; `mapped` are pages of files, which the
    system takes back when it needs them."""

    def __init__(self, process: int | None = None) -> None:
        super().__init__(daemon=True)
        self.process = os.getpid() if process is None else process
        self.ended, self.own, self.mapped = threading.Event(), 0, 0

    def run(self) -> None:
        while not self.ended.wait(0.2):  # adding up its pages takes a process some milliseconds
            self.look()

    def look(self) -> None:
        sizes = [_proportional(process) for process in family(self.process)]
        self.own = max(self.own, sum(own for own, _ in sizes))
        self.mapped = max(self.mapped, sum(mapped for _, mapped in sizes))

    def __enter__(self) -> Self:
        self.look()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()
        self.look()


def family(process: int) -> Iterator[int]:
    """The process and all that it began, directly or not."""
    yield process
    for told in Path("/proc", str(process), "task").glob("*/children"):
        with contextlib.suppress(OSError):  # it has ended
            for child in told.read_text().split():
                yield from family(int(child))


def _proportional(process: int) -> tuple[int, int]:
    """Bytes that nothing else backs, and bytes of files; of what several processes share, this one's part."""
    try:
        lines = Path("/proc", str(process), "smaps_rollup").read_text().splitlines()
    except OSError:  # the process has ended
        return 0, 0
    told = {name: 1024 * int(size.split()[0]) for name, _, size in (line.partition(":") for line in lines[1:])}
    return told["Pss_Anon"] + told["Pss_Shmem"] + told["SwapPss"], told["Pss_File"]


def cpu_seconds(work: Callable[[], object], times: int = 200) -> float:
    """CPU time of one call on one thread, the fastest of five series."""
    torch.set_num_threads(1)
    work()
    taken = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            work()
        taken.append((time.process_time() - began) / times)
    return min(taken)


def cpu_used() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def processor() -> str:
    """The CPU's name and the vector instructions that torch uses on it."""
    name = platform.processor() or platform.machine()
    if (told := Path("/proc/cpuinfo")).exists():
        named = [line.partition(":")[2].strip() for line in told.read_text().splitlines() if "model name" in line]
        name = f"{len(named)} × {named[0]}" if named else name
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"
