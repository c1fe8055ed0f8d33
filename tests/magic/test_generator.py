import pytest
import torch

from magic.config import GeneratorConfig
from magic.generator import MagicGenerator
from tests.conftest import random_generator


def inputs(k, height=32, width=48, batch=2):
    torch.manual_seed(k)
    return torch.rand(batch, 3, height, width) * 2 - 1, torch.rand(batch, k, 3, height, width) * 2 - 1


@pytest.mark.parametrize("k", [2, 3, 8])
def test_permuting_the_set_permutes_the_weights_and_changes_nothing_else(k):
    generator = random_generator(3).double()
    content, templates = (x.double() for x in inputs(k))
    order = torch.randperm(k)
    made, permuted = generator(content, templates), generator(content, templates[:, order])
    assert torch.allclose(permuted.weights, made.weights[:, order], atol=1e-6)
    assert torch.allclose(permuted.collage, made.collage, atol=1e-6)
    assert torch.allclose(permuted.image, made.image, atol=1e-6)
    assert made.weights.std(1).max() > 1e-3  # else the test would pass for a generator that ignores the set


@pytest.mark.parametrize("k", [1, 2, 8, 50])
def test_one_generator_takes_every_k(k):
    made = random_generator(2)(*inputs(k, batch=1))
    assert made.weights.shape == (1, k, 32, 48)
    assert torch.allclose(made.weights.sum(1), torch.ones(1, 32, 48), atol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (8, 64), (40, 24), (128, 16)])
def test_one_generator_takes_every_size(size):
    made = random_generator(3)(*inputs(2, *size))
    assert made.image.shape == made.collage.shape == (2, 3, *size)


def test_elements_see_one_another():
    generator = random_generator(2).double()
    content, templates = (x.double() for x in inputs(3, batch=1))
    other = templates.clone()
    other[:, 2] = other[:, 2].flip(-1)
    before, after = (complete_logits(generator, content, t) for t in (templates, other))
    assert not torch.allclose(before[0], after[0], atol=1e-4)


def complete_logits(generator, content, templates):
    from magic.norm import complete

    return complete(generator.mix(content, templates))


def test_the_collage_is_made_of_the_templates_alone():
    content, templates = inputs(4)
    made = random_generator(2)(content, templates)
    assert (made.collage <= templates.amax(1) + 1e-5).all()
    assert (made.collage >= templates.amin(1) - 1e-5).all()


def test_a_correcting_refiner_starts_as_the_identity():
    generator = MagicGenerator(GeneratorConfig(channels=4, depth=2, refine="correct"))
    made = generator(*inputs(3))
    assert torch.allclose(made.image, made.collage, atol=1e-6)


@pytest.mark.parametrize(("sees", "same"), [(False, True), (True, False)])
def test_the_refiner_sees_the_content_only_when_told(sees, same):
    generator = random_generator(2, refiner_sees_content=sees)
    collage = torch.rand(1, 3, 16, 16)
    from magic.norm import complete

    outputs = [complete(generator.refine(collage, torch.full((1, 3, 16, 16), c))) for c in (0.1, 0.9)]
    other = complete(generator.refine(collage, torch.rand(1, 3, 16, 16)))
    assert torch.allclose(outputs[0], other) == same


def test_no_template_and_bad_sizes_are_refused():
    generator = random_generator(3)
    content, templates = inputs(2)
    with pytest.raises(ValueError, match=r"K >= 1"):
        generator(content, templates[:, :0])
    with pytest.raises(ValueError, match=r"multiples of 2\^depth = 8"):
        generator(content[..., :30], templates[..., :30])
