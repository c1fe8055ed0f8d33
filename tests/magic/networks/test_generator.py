import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend

from magic.hyperparameters import GeneratorConfig
from magic.networks import set_attention
from magic.networks.generator import MagicGenerator
from magic.networks.norm import complete
from magic.networks.packed import pack_generator, unpack_generator
from magic.networks.set_attention import SetAttention
from tests.conftest import random_generator


def inputs(k, height=32, width=48, batch=2):
    torch.manual_seed(k)
    return torch.rand(batch, 3, height, width) * 2 - 1, torch.rand(batch, k, 3, height, width) * 2 - 1


OPTIONS = [{}, {"inducing_points": 3}, {"warp": "flow"}, {"warp": "affine"}, {"guided": False}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("k", [2, 3, 8])
def test_permuting_the_set_permutes_the_weights_and_changes_nothing_else(k, options):
    generator = random_generator(3, **options).double()
    content, templates = (x.double() for x in inputs(k))
    content = content if generator.config.guided else None
    order = torch.randperm(k)
    made, permuted = generator(content, templates), generator(content, templates[:, order])
    if made.warp is not None:
        assert torch.allclose(permuted.warp, made.warp[:, order], atol=1e-5)
        assert made.warp.abs().max() > 0.1
    assert torch.allclose(permuted.weights, made.weights[:, order], atol=1e-6)
    assert torch.allclose(permuted.collage, made.collage, atol=1e-6)
    assert torch.allclose(permuted.image, made.image, atol=1e-6)
    assert made.weights.std(1).max() > 1e-3  # else the test would pass for a generator that ignores the set


@pytest.mark.parametrize("k", [1, 2, 8, 50])
def test_one_generator_takes_every_k(k):
    made = random_generator(2)(*inputs(k, batch=1))
    assert made.weights.shape == (1, k, 32, 48)
    assert torch.allclose(made.weights.sum(1), torch.ones(1, 32, 48), atol=1e-5)


def test_five_hundred_templates_with_inducing_points():
    made = random_generator(2, channels=4, heads=1, inducing_points=4)(*inputs(500, 16, 16, batch=1))
    assert torch.allclose(made.weights.sum(1), torch.ones(1, 16, 16), atol=1e-4)


def test_inducing_points_see_all_elements_at_a_cost_that_grows_with_k():
    """Multiplications of one attention block, counted by torch: four times the elements, four times the work."""
    from torch.utils.flop_counter import FlopCounterMode

    def work(k, points):
        block = SetAttention(8, 2, points)
        with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(SDPBackend.MATH):
            block(torch.rand(k, 8, 2, 2), k)
        return counter.get_total_flops()

    base = 2 * work(1, 4) - work(2, 4)  # what the points cost by themselves
    assert (work(1024, 4) - base) / (work(256, 4) - base) == pytest.approx(4, rel=0.02)
    assert work(1024, None) / work(256, None) > 8


@pytest.mark.parametrize("points", [None, 3])
def test_pixels_are_attended_to_a_part_at_a_time(points, monkeypatch):
    torch.manual_seed(0)
    block, features = SetAttention(8, 2, points), torch.randn(6, 8, 3, 5)  # two sets of three at 15 pixels
    at_once, sizes, attend = block(features, 3), [], F.scaled_dot_product_attention

    def attend_to(query, key, value):
        sizes.append(len(query))
        return attend(query, key, value)

    monkeypatch.setattr(set_attention, "MAX_PIXELS_AT_ONCE", 7)
    monkeypatch.setattr(F, "scaled_dot_product_attention", attend_to)
    assert torch.allclose(block(features, 3), at_once, atol=1e-6)
    assert sizes == [7, 7, 7, 7, 2] * (2 if points else 1)


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
    return complete(generator.mix(content, templates))


def test_the_collage_is_made_of_the_templates_alone():
    content, templates = inputs(4)
    made = random_generator(2)(content, templates)
    assert (made.collage <= templates.amax(1) + 1e-5).all()
    assert (made.collage >= templates.amin(1) - 1e-5).all()


def test_a_blending_refiner_starts_with_the_collage_and_paints_the_share_it_says():
    torch.manual_seed(0)
    made = MagicGenerator(GeneratorConfig(channels=4, depth=2, refine="blend"))(*inputs(3))
    assert 0.01 < made.painted.mean() < 0.1
    generator = random_generator(2, refine="blend")
    made = generator(*inputs(3))
    colours = complete(generator.refine(made.collage, None))[:, :3].tanh()
    assert torch.allclose(made.image, made.collage * (1 - made.painted) + colours * made.painted, atol=1e-5)
    assert (made.image - made.collage).abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["affine", "flow"])
def test_warps_start_as_the_identity(kind):
    torch.manual_seed(0)
    generator = MagicGenerator(GeneratorConfig(channels=4, depth=2, warp=kind))
    content, templates = inputs(3)
    made = generator(content, templates)
    assert (made.warp == 0).all()
    assert torch.allclose(made.collage, (made.weights[:, :, None] * templates).sum(1), atol=1e-6)
    made.collage.square().mean().backward()
    assert generator.mixing.head.weight.grad[1:].abs().max() > 0  # it can leave it


def test_an_affine_warp_is_not_rounded_to_the_precision_of_a_pass():
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        warp = complete(random_generator(2, warp="affine").mix(*inputs(3)))[:, 1:]
    assert warp.dtype == torch.float32
    assert (warp != warp.bfloat16()).all()


@pytest.mark.parametrize("settings", [{"system": "mosaic"}, {"system": "famos", "memory_size": 3}])
def test_baselines_paint_and_are_saved_and_loaded(settings):
    generator = random_generator(2, **settings)
    content, templates = inputs(3)
    made = generator(content, templates)
    assert made.image.shape == (2, 3, 32, 48)
    assert torch.allclose(made.weights.sum(1), torch.ones(2, 32, 48), atol=1e-5)
    if settings["system"] == "famos":
        blend = made.painted
        assert ((blend > 0) & (blend < 1)).all()
        assert torch.allclose(made.collage, (made.weights[:, :, None] * templates).sum(1))
        with pytest.raises(ValueError, match="3 templates of the model's fixed memory, got 2"):
            generator(content, templates[:, :2])
    loaded = unpack_generator(pack_generator(generator))
    assert torch.equal(loaded(content, templates).image, made.image)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"system": "mosaic", "guided": False}, r"options that mosaic has, got \['guided'\]"),
        ({"system": "famos", "memory_size": 4, "warp": "flow"}, r"options that famos has, got \['warp'\]"),
        ({"system": "mosaic", "refine": "blend"}, r"options that mosaic has, got \['refine'\]; leave them out"),
        ({"system": "famos", "memory_size": 4, "heads": 2}, "options that famos has"),
        ({"channels": 6}, "heads that divide the 6 channels, got 4"),
        ({"system": "famos"}, "a memory_size >= 1 for famos"),
        ({"memory_size": 4}, r"options that magic has, got \['memory_size'\]"),
        ({"inducing_points": 0}, r"inducing_points in 1\.\.65535, got 0"),
        ({"refiner_channels": 0}, r"refiner_channels in 1\.\.256, for at most 4096 .*, got 0"),
        ({"guided": False, "refiner_sees_content": True}, "a refiner that sees no content"),
        ({"channels": 10**9}, r"channels in 1\.\.256, for at most 4096 at the deepest level, got 1000000000"),
        ({"channels": 48, "depth": 8}, r"channels in 1\.\.32, .*, got 48"),
        ({"depth": 60}, r"a depth in 1\.\.8, got 60"),
        ({"heads": 10**9}, "heads that divide the 48 channels"),
        ({"system": "famos", "memory_size": 10**9}, r"memory_size in 1\.\.65535"),
        ({"warp": "flow", "warp_reach_px": 1e30}, r"warp_reach_px in 0\.\.10000, got 1e\+30"),
        ({"channels": True}, "channels to be a whole number, got True"),
        ({"depth": 10**40}, "depth to be a whole number, got 1000"),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(ValueError, match=message):
        GeneratorConfig(**settings)


def test_channels_that_no_heads_divide_do_for_systems_without_heads():
    assert random_generator(2, system="mosaic", channels=6)(*inputs(1)).image.shape == (2, 3, 32, 48)


def test_a_refiner_may_be_wider_than_the_mixing_network():
    plain, wide = (random_generator(2, refiner_channels=width) for width in (None, 16))
    first = {net: getattr(wide, net).encoder[0].conv.out_channels for net in wide.nets}
    assert first == {"mixing": 8, "refiner": 16}
    assert plain.refiner.encoder[0].conv.out_channels == 8
    loaded = unpack_generator(pack_generator(wide))
    assert torch.equal(loaded(*inputs(2)).image, wide(*inputs(2)).image)


@pytest.mark.parametrize(("sees", "same"), [(False, True), (True, False)])
def test_the_refiner_sees_the_content_only_when_told(sees, same):
    generator = random_generator(2, refiner_sees_content=sees)
    collage = torch.rand(1, 3, 16, 16)
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
