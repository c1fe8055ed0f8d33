"""One training step of generator and discriminator, and the state it changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from magic.batch import Batch, from_uint8
from magic.config import DiscriminatorConfig, GeneratorConfig, LossConfig, OptimizerConfig, Precision
from magic.discriminator import PatchDiscriminator
from magic.generator import MagicGenerator
from magic.losses import adversarial, generator_loss, generator_terms

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(slots=True)
class TrainState:
    """Everything that a step changes and a checkpoint holds."""

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    scaler: torch.amp.GradScaler
    losses: LossConfig
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
    networks = wrap(MagicGenerator(generator).to(device)), wrap(PatchDiscriminator(discriminator).to(device))

    def adam(network: nn.Module) -> torch.optim.Adam:
        return torch.optim.Adam(
            network.parameters(), lr=optimizer.learning_rate, betas=(optimizer.beta1, optimizer.beta2)
        )

    return TrainState(
        generator=networks[0],
        discriminator=networks[1],
        generator_optimizer=adam(networks[0]),
        discriminator_optimizer=adam(networks[1]),
        scaler=torch.amp.GradScaler(device.type, enabled=precision == "fp16"),
        losses=losses,
        precision=precision,
        device=device,
    )


def train_step(state: TrainState, batch: Batch) -> dict[str, Tensor]:
    """Update the discriminator, then the generator, on one batch.

    Returns:
        Every loss term by name, as scalars still on the device: reading them waits for it.
    """
    content, templates, style = (from_uint8(pixels) for pixels in batch.to(state.device))

    with state.autocast():
        made = state.generator(content, templates)
        judged = state.discriminator(torch.cat([style, made.image.detach()]))
        real, fake = judged.split([len(style), len(content)])
        discriminator_loss = adversarial(real, real=True) + adversarial(fake, real=False)
    state.update(state.discriminator_optimizer, discriminator_loss)

    # not through DDP: it would wait for gradients of weights that get none here
    judge = plain(state.discriminator)
    with state.autocast(), _frozen(judge):
        logits = judge(made.image)
        terms = generator_terms(made, content, logits, state.losses)
        loss = generator_loss(terms, state.losses)
    state.update(state.generator_optimizer, loss)

    state.scaler.update()
    state.step += 1
    terms |= {"generator": loss, "discriminator": discriminator_loss}
    return {f"loss/{name}": term.detach() for name, term in terms.items()}


def plain(network: nn.Module) -> nn.Module:
    """The network itself, without what distributes it."""
    return network.module if isinstance(network, DistributedDataParallel) else network


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients pass through a network without gathering any for its weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
