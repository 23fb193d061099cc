"""θ_s with a new head: which parameters are trained and when, and which are truly frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from audit.config.recipe import HeadSection, PrivacySection, TransferSection
from audit.models.graph_rewrite import fold_batchnorm, has_batchnorm, prepare
from audit.models.head import attach, find_head
from audit.models.source import Source
from audit.runtime.randomness import drawing
from audit.runtime.user_code import load_factory
from probes.errors import PrivacyError, RecipeError, did_you_mean

BatchNorm = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, kw_only=True)
class Phase:
    """From epoch `start` on, `trained` are trained; `lr` replaces the recipe's rate if given."""

    start: int
    trained: tuple[str, ...]
    lr: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Trainee:
    """A network to be fine-tuned.

    `head` takes the embedding; `stages` are the blocks below it, in order. `trained` are all parameters that any phase
    trains; `anchor` holds θ_s for those of them that it contains (for L2-SP).
    """

    network: nn.Module
    head: str
    trained: tuple[str, ...]
    anchor: Mapping[str, Tensor]
    phases: tuple[Phase, ...]
    stages: tuple[str, ...]
    frozen_batchnorm: bool = False
    whole: bool = False
    """All modules except frozen BatchNorm are in train mode, so that dropout in frozen parts is active."""
    modes: Mapping[frozenset[str], frozenset[str]] | None = None
    """The modules in train mode for each set of trained parameters, if the network is part of another and cannot
    tell."""

    def phase(self, epoch: int) -> Phase:
        return [phase for phase in self.phases if phase.start <= epoch][-1]

    def enter(self, phase: Phase) -> None:
        """Only the phase's parameters get gradients."""
        chosen = set(phase.trained)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name in chosen)

    def train_mode(self) -> None:
        """A module is in train mode if all its parameters are trained; one without parameters (dropout) if all those of
        the enclosing module are. Everything else is in eval mode: a frozen BatchNorm in train mode would rewrite its
        statistics from the private data."""
        if self.modes is not None:
            now = self.modes[frozenset(self.parameters())]
            for name, module in self.network.named_modules():
                module.training = name in now
            return
        _train_mode(self.network, within=False)
        if self.whole:
            for module in self.network.modules():
                if not isinstance(module, BatchNorm):
                    module.training = True
        if self.frozen_batchnorm:
            for module in self.network.modules():
                if isinstance(module, BatchNorm):
                    module.eval()

    def depth(self, name: str) -> int:
        """The number of stages between the head and a parameter: 0 in the head, 1 in the last stage."""
        for position, stage in enumerate(reversed(self.stages), start=1):
            if _inside(name, stage):
                return position
        return 0 if _inside(name, self.head) else len(self.stages)

    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters that currently get gradients."""
        return {name: parameter for name, parameter in self.network.named_parameters() if parameter.requires_grad}

    def frozen_state(self) -> dict[str, Tensor]:
        """What training must not change: untrained parameters, and buffers of modules in eval mode."""
        state = {name: value for name, value in self.network.named_parameters() if name not in set(self.trained)}
        for path, module in self.network.named_modules():
            if not module.training:
                prefix = f"{path}." if path else ""
                state |= {prefix + name: value for name, value in module.named_buffers(recurse=False)}
        return {name: value.detach().clone() for name, value in state.items()}


def _train_mode(module: nn.Module, within: bool) -> None:
    parameters = list(module.parameters())
    module.training = all(parameter.requires_grad for parameter in parameters) if parameters else within
    for child in module.children():
        _train_mode(child, module.training)


def begin(
    source: Source,
    section: TransferSection,
    classes: int,
    *,
    seed: int,
    scratch: bool = False,
    head: HeadSection | None = None,
    privacy: PrivacySection | None = None,
) -> Trainee:
    """The source network with a new head, frozen as the recipe says; `seed` initialises the head (from scratch:
    everything)."""
    head = head or HeadSection()
    network = source.network(seed, weights=not scratch)
    place = find_head(network, head.name)
    below = stages(network, place)
    marked = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    if privacy:
        network = _per_sample(network, privacy)
    factory = None
    if head.factory:
        factory = load_factory(head.factory, source.folder, trust_code=source.trust_code, where="head.factory")
    if head.keep and source.has_head(place, classes):
        top = place
    else:
        with drawing(seed):
            top = attach(network, place, head, classes, factory)
    names = [name for name, _ in network.named_parameters()]
    phases = (Phase(start=0, trained=tuple(names)),) if scratch else _phases(network, section, place, below, marked)
    trained = tuple(name for name in names if any(name in phase.trained for phase in phases))
    known = {} if scratch or source.state is None else dict(network.named_parameters())
    trainee = Trainee(
        network=network,
        head=top,
        trained=trained,
        anchor={name: known[name].detach().clone() for name in trained if name in known and not _inside(name, place)},
        phases=phases,
        stages=tuple(below),
        frozen_batchnorm=section.batchnorm == "frozen" and not scratch,
        whole=section.dropout == "all",
    )
    trainee.enter(phases[0])
    return trainee


def as_handed_over(network: nn.Module, head: str | None) -> Trainee:
    """A network that a user's trainer trains: only the location of its classifier must be known."""
    return Trainee(
        network=network,
        head=find_head(network, head),
        trained=(),
        anchor={},
        phases=(Phase(start=0, trained=()),),
        stages=(),
    )


def _per_sample(network: nn.Module, privacy: PrivacySection) -> nn.Module:
    """The same function with per-sample gradients: activations out-of-place, BatchNorm folded or refused."""
    if not has_batchnorm(network):
        return prepare(network)
    if privacy.batchnorm == "refuse":
        raise PrivacyError(
            f"{type(network).__name__} has BatchNorm, which mixes samples: DP-SGD has no per-sample gradient for it.",
            where="privacy.batchnorm",
            do='Set batchnorm = "fold", or use a network with GroupNorm.',
        )
    return fold_batchnorm(network)


def stages(network: nn.Module, head: str) -> list[str]:
    """Dotted names of the blocks below the head, in order: the parts of the top-level sequences that hold weights."""
    parts = [part for name, child in network.named_children() for part in _blocks(name, child)]
    weighty = [part for part in parts if any(True for _ in network.get_submodule(part).parameters())]
    return [part for part in weighty if not _inside(head, part)]


def _blocks(name: str, module: nn.Module) -> list[str]:
    children = list(module.named_children())
    if isinstance(module, nn.Sequential | nn.ModuleList):
        return [f"{name}.{leaf}" for leaf, _ in children]
    # An encoder that is mainly a sequence of layers (a Vision Transformer's) is divided into its layers.
    sequences = [child for _, child in children if isinstance(child, nn.Sequential) and len(child) > 1]
    if sequences and _size(sequences[-1]) > 0.9 * _size(module):
        return [part for leaf, child in children for part in _blocks(f"{name}.{leaf}", child)]
    return [name]


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _inside(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def _phases(
    network: nn.Module, section: TransferSection, head: str, below: list[str], marked: set[str]
) -> tuple[Phase, ...]:
    names = [name for name, _ in network.named_parameters()]

    def under(parts: list[str]) -> tuple[str, ...]:
        return tuple(name for name in names if any(_inside(name, part) for part in parts))

    if section.mode == "parameters":
        return (Phase(start=0, trained=tuple(names)),)
    if section.mode == "adapter":
        return (Phase(start=0, trained=tuple(name for name in names if name in marked or _inside(name, head))),)
    if section.mode == "lp-ft":
        probe = Phase(start=0, trained=under([head]), lr=section.lp_lr)
        return (probe, Phase(start=section.lp_epochs, trained=tuple(names)))
    if section.mode == "gradual":
        steps = [Phase(start=0, trained=under([head]))]
        for count in range(1, len(below) + 1):
            parts = [head, *below[len(below) - count :]]
            trained = tuple(names) if count == len(below) else under(parts)
            steps.append(Phase(start=count * section.unfreeze_every, trained=trained))
        return tuple(steps)
    if section.mode == "layers":
        for layer in section.layers:
            if layer not in (modules := dict(network.named_modules())):
                raise RecipeError(
                    f"{type(network).__name__} has no module {layer!r}. {did_you_mean(layer, modules)}",
                    where="transfer.layers",
                )
        return (Phase(start=0, trained=under([head, *section.layers])),)
    if section.mode == "auto":
        raise RecipeError("auto was not resolved before training", where="transfer.mode", do="Use `audit finetune`.")
    chosen = [head]
    if section.mode.startswith("last:"):
        count = int(section.mode[5:])
        if count > len(below):
            raise RecipeError(
                f"last:{count} was requested for a network with {len(below)} stages.",
                where="transfer.mode",
                do=f"At most {len(below)}.",
            )
        chosen += below[len(below) - count :]
    return (Phase(start=0, trained=under(chosen)),)
