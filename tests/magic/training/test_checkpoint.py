import json
import os
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file

from magic.networks.packed import WEIGHTS
from magic.training.checkpoint import PROGRESS, STATE, load_state, save_state
from magic.training.step import train_step
from tests.magic.training.test_step import batch, fresh, parameters


@pytest.fixture
def folder(tmp_path):
    """A training state after one step."""
    state = fresh()
    train_step(state, batch(0))
    save_state(tmp_path, state)
    return tmp_path


def change_progress(folder, **changes):
    progress = json.loads((folder / PROGRESS).read_text()) | changes
    (folder / PROGRESS).write_text(json.dumps({name: value for name, value in progress.items() if value is not None}))


def test_a_saved_state_states_its_format(folder):
    assert json.loads((folder / PROGRESS).read_text()) == {"format": 2, "step": 1, "scaler": {}}


@pytest.mark.parametrize("version", [1, 3, "2"])
def test_a_state_of_another_format_is_refused_and_nothing_of_it_is_loaded(folder, version):
    change_progress(folder, format=version)
    state = fresh()
    before = parameters(state)
    with pytest.raises(ValueError, match=f"expected training state format 2 in .*, got {version!r}; continue with"):
        load_state(folder, state)
    assert torch.equal(parameters(state), before)


def refused(folder, message):
    with pytest.raises(ValueError, match=message) as told:
        load_state(folder, fresh())
    assert str(folder) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", [WEIGHTS, STATE, PROGRESS])
@pytest.mark.parametrize("what", ["nothing", "a folder", "a pipe", "a device"])
def test_what_is_no_regular_file_is_named_and_not_read(folder, name, what):
    path = folder / name
    path.unlink()
    make = {
        "a folder": path.mkdir,
        "a pipe": partial(os.mkfifo, path),
        "a device": partial(path.symlink_to, "/dev/zero"),
    }
    make.get(what, lambda: None)()
    refused(folder, f"expected the file .*{name} of a training state, got 'none'; continue from another")


@pytest.mark.parametrize("name", [WEIGHTS, STATE, PROGRESS])
@pytest.mark.parametrize("size_bytes", [0, 7])
def test_a_file_that_ends_too_early_is_refused(folder, name, size_bytes):
    (folder / name).write_bytes((folder / name).read_bytes()[:size_bytes])
    refused(folder, rf"expected .* in .*{name}, got ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": None}, "training state format 2 in .*, got None"),
        ({"step": None}, "a number of steps in .*, got None"),
        ({"step": -1}, "a number of steps in .*, got -1"),
        ({"step": "1"}, "a number of steps in .*, got '1'"),
        ({"step": True}, "a number of steps in .*, got True"),
        ({"step": 10**30}, "no number that can be computed with"),
        ({"scaler": None}, "loss scaling in .*, got None"),
        ({"scaler": {"scale": 2.0}}, r"loss scaling in .*, got \{'scale': 2.0\}"),
        ({"scaler": {"scale": float("nan")}}, "'NaN' is no number"),
    ],
)
def test_progress_that_is_none_is_refused(folder, changes, message):
    change_progress(folder, **changes)
    refused(folder, message)


@pytest.mark.parametrize("part", ["generator.", "discriminator.convs.0", "generator_optimizer.", "discriminator_opt"])
def test_tensors_that_lack_a_part_are_refused(folder, part):
    tensors = {name: tensor for name, tensor in load_file(folder / STATE).items() if not name.startswith(part)}
    save_file(tensors, folder / STATE)
    refused(folder, rf"expected the weights of its settings in .*{STATE}, got 'none for {part}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: tensor.double(), r"to be float32\[.*\], as its settings say, got 'float64\["),
        (lambda tensor: tensor.long(), r"to be float32\[.*\], as its settings say, got 'int64\["),
        (lambda tensor: tensor[:1].repeat(100), r"to be float32\[8\], as its settings say, got 'float32\[100\]'"),
        (lambda tensor: tensor * float("nan"), "expected finite numbers in .*, got 'NaN or infinity in "),
        (lambda tensor: tensor + float("inf"), "expected finite numbers in .*, got 'NaN or infinity in "),
    ],
)
@pytest.mark.parametrize("part", ["generator.", "generator_optimizer."])
def test_tensors_that_no_step_can_go_on_from_are_refused(folder, part, change, message):
    tensors = load_file(folder / STATE)
    name = next(name for name in sorted(tensors) if name.startswith(part) and tensors[name].shape == (8,))
    tensors[name] = change(tensors[name])
    save_file(tensors, folder / STATE)
    refused(folder, message)


def test_a_state_of_other_settings_is_refused(folder):
    with pytest.raises(ValueError, match=rf"refiner\.\S+ in {folder}.* to be float32\[5 .*, got 'float32\[4 "):
        load_state(folder, fresh(generator={"refiner_channels": 5}))
