"""One training step of generator and discriminator, and the state it changes."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig, Precision
from magic.networks.baselines import build_generator
from magic.networks.discriminator import PatchDiscriminator
from magic.networks.packed import plain
from magic.precision import DTYPES
from magic.training.batch import Batch
from magic.training.losses import discriminator_loss, generator_loss, generator_terms, gradient_penalty

PENALTY_EVERY = 8  # R1 in every eighth step, with eight times the weight (Karras et al. 2020, appendix B)


@dataclass(slots=True)
class TrainState:
    """Everything that a step changes and a checkpoint holds."""

    generator: nn.Module
    average: nn.Module
    """The running mean of the generator: what is registered and renders."""
    discriminator: nn.Module
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    scaler: torch.amp.GradScaler
    losses: LossConfig
    ema_decay: float
    precision: Precision
    device: torch.device
    step: int = 0
    """Steps done so far."""

    def autocast(self) -> torch.autocast:
        """The context in which forward passes run."""
        return torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "fp32")

    def update(self, optimizer: torch.optim.Adam, loss: Tensor) -> None:
        """One optimizer step, with the loss scaled where the precision is fp16."""
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(optimizer)

    @torch.no_grad()
    def follow(self) -> None:
        """Let the running mean follow the generator: faster in the first steps, which are soon of no use."""
        decay = min(self.ema_decay, (1 + self.step) / (10 + self.step)) if self.ema_decay else 0.0
        mine: list[Tensor] = list(self.average.parameters())
        its: list[Tensor] = list(plain(self.generator).parameters())
        torch._foreach_lerp_(mine, its, 1 - decay)


def new_state(
    generator: GeneratorConfig,
    discriminator: DiscriminatorConfig,
    losses: LossConfig,
    optimizer: OptimizerConfig,
    *,
    device: torch.device,
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module,
) -> TrainState:
    """Fresh networks and optimizers; wrap may distribute the networks (DDP).

    Raises:
        ValueError: for fp16 on a CPU, where it is 15 times slower than fp32.
    """
    precision = optimizer.precision or ("fp16" if device.type == "cuda" else "fp32")
    if precision == "fp16" and device.type == "cpu":
        raise ValueError("expected fp32 or bf16 on a CPU, got 'fp16'; leave precision out to let it fit the device")
    fresh = build_generator(generator).to(device)
    average = copy.deepcopy(fresh).requires_grad_(False)
    networks = wrap(fresh), wrap(PatchDiscriminator(discriminator).to(device))

    def adam(network: nn.Module) -> torch.optim.Adam:
        return torch.optim.Adam(
            network.parameters(), lr=optimizer.learning_rate, betas=(optimizer.beta1, optimizer.beta2), fused=True
        )

    return TrainState(
        generator=networks[0],
        average=average,
        discriminator=networks[1],
        generator_optimizer=adam(networks[0]),
        discriminator_optimizer=adam(networks[1]),
        scaler=torch.amp.GradScaler(device.type, enabled=precision == "fp16"),
        losses=losses,
        ema_decay=optimizer.ema_decay,
        precision=precision,
        device=device,
    )


def train_step(state: TrainState, batch: Batch) -> dict[str, Tensor]:
    """Update the discriminator, then the generator, on one batch.

    Returns:
        Every loss term by name, as scalars still on the device: reading them waits for it.
    """
    templates, style, content = batch.to(state.device).normalised()
    judge = plain(state.discriminator)

    with state.autocast():
        made = state.generator(content, templates)
        judged = state.discriminator(torch.cat([style, made.image.detach()]))
        real, fake = judged.split([len(style), len(templates)])
    opposed = discriminator_loss(real, fake, state.losses.adversarial)
    terms = {"discriminator": opposed}
    if state.losses.r1 and state.step % PENALTY_EVERY == 0:
        terms["r1"] = gradient_penalty(judge, style)
        opposed = opposed + PENALTY_EVERY * state.losses.r1 * terms["r1"]
    state.update(state.discriminator_optimizer, opposed)

    # not through DDP: it would wait for gradients of weights that get none here
    with state.autocast(), _frozen(judge):
        logits = judge(made.image)
        wanted = generator_terms(made, content, logits, state.losses)
        loss = generator_loss(wanted, state.losses)
    state.update(state.generator_optimizer, loss)

    state.scaler.update()
    state.step += 1
    state.follow()
    terms |= {**wanted, "generator": loss}
    return {f"loss/{name}": term.detach() for name, term in terms.items()}


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients pass through a network without gathering any for its weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
