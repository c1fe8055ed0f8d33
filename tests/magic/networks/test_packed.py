"""A model of a folder: whatever is no model of its own configuration is told in one line, before memory is taken."""

import json
import re
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load, save

from magic.networks.packed import Packed, pack_generator, unpack_generator
from tests.conftest import random_generator

NAME = "mixing.encoder.0.norm.bias"


@pytest.fixture(scope="module")
def packed() -> Packed:
    return pack_generator(random_generator(2))


def refused(packed, message):
    with pytest.raises(ValueError, match=message) as told:
        unpack_generator(packed)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 900


def changed(packed, change, name=NAME):
    """The model with one tensor replaced."""
    tensors = load(packed.weights)
    return packed._replace(weights=save({**tensors, name: change(tensors[name])}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tensor: tensor * torch.nan,
            f"expected finite numbers in generator.safetensors, got 'NaN or .* {NAME}'",
        ),
        (
            lambda tensor: tensor + torch.inf,
            f"expected finite numbers in generator.safetensors, got 'NaN or .* {NAME}'",
        ),
        (lambda tensor: tensor.double(), rf"expected {NAME} in .* to be float32\[8\], .*, got 'float64\[8\]'; fetch"),
        (lambda tensor: tensor.long(), rf"expected {NAME} in .* to be float32\[8\], .*, got 'int64\[8\]'"),
        (lambda tensor: tensor.half(), rf"expected {NAME} in .* to be float32\[8\], .*, got 'float16\[8\]'"),
        (lambda tensor: tensor[:, None], rf"expected {NAME} in .* to be float32\[8\], .*, got 'float32\[8 1\]'"),
        (lambda tensor: tensor[:0], rf"expected {NAME} in .* to be float32\[8\], .*, got 'float32\[0\]'"),
    ],
)
def test_numbers_of_another_kind_are_refused(packed, change, message):
    refused(changed(packed, change), message)


def test_one_number_that_is_none_is_found_wherever_it_is(packed):
    def spoil(tensor):
        tensor.view(-1)[-1] = torch.nan
        return tensor

    for name in load(packed.weights):
        refused(changed(packed, spoil, name), f"NaN or infinity in {name}")


def test_missing_and_foreign_tensors_are_named(packed):
    tensors = load(packed.weights)
    refused(packed._replace(weights=save({**tensors, "more\n": torch.zeros(1)})), r"got 'also more\\n'; fetch")
    del tensors[NAME]
    refused(packed._replace(weights=save(tensors)), f"the weights of its settings in .*, got 'none for {NAME}'")
    refused(packed._replace(weights=pack_generator(random_generator(3)).weights), "generator.safetensors, got ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 10**9}, r"generator\.json: expected channels in 1\.\.2048"),
        ({"channels": 2048, "heads": 1, "refiner_channels": 2048}, r"to be float32\[.*, got 'float32\[8 "),
        ({"depth": 60}, r"generator\.json: expected a depth in 1\.\.8, got 60"),
        ({"depth": 8}, r"the weights of its settings in generator\.safetensors, got 'none for"),
        ({"heads": 10**12}, r"generator\.json: expected heads that divide"),
        ({"heads": 0}, r"generator\.json: expected heads that divide"),
        ({"inducing_points": 10**10}, r"generator\.json: expected inducing_points in"),
        ({"warp_reach_px": 1e300, "warp": "flow"}, r"generator\.json: expected warp_reach_px in"),
        ({"colour": 1}, r"the settings of a generator in generator\.json, channels, .*'colour': 1"),
    ],
)
def test_a_configuration_takes_no_memory_that_its_weights_do_not_take(packed, settings, message):
    described = json.loads(packed.config)
    described["generator"] |= settings
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is counted from now on
    before = psutil.Process().memory_info().rss
    refused(packed._replace(config=json.dumps(described)), message)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert int(peak[1]) * 1024 - before < 50e6


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", r"a model's configuration in generator\.json, got no JSON"),
        ("[" * 100_000, r"a model's configuration in generator\.json, got no JSON"),
        ("[]", "got JSON that is no object"),
        ("{}", r"model format 2 in generator\.json, got None; update MAGIC"),
        ('{"format": 2, "format": 2}', "the key 'format' stands twice"),
        ('{"format": 3, "generator": {}}', r"model format 2 in generator\.json, got 3"),
        ('{"format": 2, "generator": [1]}', r"the settings of a generator in generator\.json, .*, got \[1\]"),
        ('{"format": 2, "generator": {"warp_reach_px": 1e999}}', "'1e999' is no number"),
    ],
)
def test_what_is_no_configuration(packed, config, message):
    refused(packed._replace(config=config), message)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (b"", "expected undamaged weights in generator.safetensors, got: "),
        (b"\xff" * 100, "a header of at most 1000000 bytes in generator.safetensors, got 18446744073709551615"),
        (b"\x02" + b"\0" * 7 + b"{}", "the weights of its settings in generator.safetensors, got 'none for"),
        (
            (2**40).to_bytes(8, "little") + b"{}",
            "a header of at most 1000000 bytes in generator.safetensors, got 109951",
        ),
        (
            (10**6 + 1).to_bytes(8, "little") + b" " * (10**6 + 1),
            "a header of at most 1000000 bytes in .*, got 1000001",
        ),
    ],
)
def test_what_are_no_weights(packed, weights, message):
    refused(packed._replace(weights=weights), message)
