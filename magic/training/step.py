"""One training step of generator and discriminator, and the state that it changes."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from magic.hyperparameters import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig, Precision
from magic.networks.discriminator import PatchDiscriminator
from magic.networks.generator import build_generator
from magic.networks.packed import without_ddp
from magic.precision import autocast
from magic.training.batch import Batch
from magic.training.losses import discriminator_loss, generator_loss, generator_terms, gradient_penalty

PENALTY_INTERVAL_STEPS = 8
"""R1 is computed in every eighth step only, with eight times its weight (Karras et al. 2020, appendix B)."""


@dataclass(slots=True)
class TrainState:
    """Everything that a step changes and a checkpoint holds, and the settings of a step."""

    generator: nn.Module
    """The generator in training; DDP may wrap it."""
    average: nn.Module
    """The running mean of the generator: the one that is registered and renders."""
    discriminator: nn.Module
    """DDP may wrap it."""
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    scaler: torch.amp.GradScaler
    """Scales the losses, so that gradients do not underflow in fp16; with other precisions it does nothing."""
    losses: LossConfig
    ema_decay: float
    """Decay of the running mean per step, 0 to 1; 0: the mean is the generator itself."""
    precision: Precision
    device: torch.device
    step: int = 0
    """Number of steps done."""

    def autocast(self) -> torch.autocast:
        """The context in which the networks run."""
        return autocast(self.device, self.precision)

    def update(self, optimizer: torch.optim.Adam, loss: Tensor) -> None:
        """One step of an optimizer down the gradient of a loss."""
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(optimizer)

    def update_average(self) -> None:
        """Move the running mean towards the generator.

        The decay is small in the first steps and rises to ema_decay, so that the mean soon forgets the first
        generators, which are of no use.
        """
        decay = min(self.ema_decay, (1 + self.step) / (10 + self.step)) if self.ema_decay else 0.0
        averages: list[Tensor] = list(self.average.parameters())
        currents: list[Tensor] = list(without_ddp(self.generator).parameters())
        get_ema_multi_avg_fn(decay)(averages, currents, self.step)  # type: ignore[no-untyped-call]


def new_state(
    generator: GeneratorConfig,
    discriminator: DiscriminatorConfig,
    losses: LossConfig,
    optimizer: OptimizerConfig,
    *,
    device: torch.device,
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module,
) -> TrainState:
    """Networks with random weights, and their optimizers.

    Args:
        generator: settings of the generator.
        discriminator: settings of the discriminator.
        losses: kinds and weights of the loss terms.
        optimizer: settings of both optimizers, and the precision.
        device: where everything lies.
        wrap: may wrap each network for distributed training (DDP).

    Raises:
        ValueError: if the precision is fp16 and the device a CPU, on which fp16 is 15 times slower than fp32.
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
    discriminator = without_ddp(state.discriminator)

    with state.autocast():
        collage = state.generator(content, templates)
        logits = state.discriminator(torch.cat([style, collage.image.detach()]))
        real, fake = logits.split([len(style), len(templates)])
    loss = discriminator_loss(real, fake, state.losses.adversarial)
    terms = {"discriminator": loss}
    if state.losses.r1 and state.step % PENALTY_INTERVAL_STEPS == 0:
        terms["r1"] = gradient_penalty(discriminator, style)
        loss = loss + PENALTY_INTERVAL_STEPS * state.losses.r1 * terms["r1"]
    state.update(state.discriminator_optimizer, loss)

    # not through DDP, which would wait for gradients of the discriminator's weights: there are none here
    with state.autocast(), _frozen(discriminator):
        logits = discriminator(collage.image)
        objective = generator_terms(collage, content, logits, state.losses)
        loss = generator_loss(objective, state.losses)
    state.update(state.generator_optimizer, loss)

    state.scaler.update()
    state.step += 1
    state.update_average()
    terms |= {**objective, "generator": loss}
    return {f"loss/{name}": term.detach() for name, term in terms.items()}


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients pass through a network without gathering any for its weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
