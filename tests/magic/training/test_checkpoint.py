import json

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


@pytest.mark.parametrize("name", [WEIGHTS, STATE, PROGRESS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"expected an undamaged training state .*, got FileNotFoundError: .*{name}"):
        load_state(folder, fresh())


@pytest.mark.parametrize("name", [WEIGHTS, STATE, PROGRESS])
@pytest.mark.parametrize("size_bytes", [0, 7])
def test_a_file_that_ends_too_early_is_refused(folder, name, size_bytes):
    (folder / name).write_bytes((folder / name).read_bytes()[:size_bytes])
    with pytest.raises(ValueError, match="expected an undamaged training state"):
        load_state(folder, fresh())


@pytest.mark.parametrize("part", ["format", "step", "scaler"])
def test_progress_that_lacks_a_part_is_refused(folder, part):
    change_progress(folder, **{part: None})
    with pytest.raises(ValueError, match=f"expected an undamaged training state .*, got KeyError: '{part}'"):
        load_state(folder, fresh())


@pytest.mark.parametrize("part", ["generator.", "discriminator.convs.0", "generator_optimizer.", "discriminator_opt"])
def test_tensors_that_lack_a_part_are_refused(folder, part):
    tensors = {name: tensor for name, tensor in load_file(folder / STATE).items() if not name.startswith(part)}
    save_file(tensors, folder / STATE)
    with pytest.raises(ValueError, match="expected an undamaged training state"):
        load_state(folder, fresh())


def test_a_state_of_other_settings_is_refused(folder):
    with pytest.raises(
        ValueError, match=r"expected an undamaged training state of these settings in .*\.\.\.; continue"
    ):
        load_state(folder, fresh(generator={"refiner_channels": 5}))
