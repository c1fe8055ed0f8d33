"""Every system answers for itself."""

import pytest

from magic.hyperparameters import GeneratorConfig
from magic.options import settings_of
from magic.systems import SYSTEMS, Memory


def config_of(system: str, **options) -> GeneratorConfig:
    size = {"memory_size": 3} if SYSTEMS[system].has_fixed_memory else {}
    return GeneratorConfig(system=system, channels=4, depth=2, **size, **options)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_builds_its_own_networks(system):
    config = config_of(system)
    generator = config.traits.generator_class()(config)
    assert generator.config is config
    assert type(generator).__name__ == config.traits.generator.rpartition(":")[2]


def test_what_is_known_of_each_memory():
    known = {memory: next(traits for traits in SYSTEMS.values() if traits.memory is memory) for memory in Memory}
    assert [known[memory].copies_templates for memory in Memory] == [True, True, False]
    assert [known[memory].has_fixed_memory for memory in Memory] == [False, True, False]
    assert [known[memory].runs_per_template for memory in Memory] == [True, False, False]
    assert [known[memory].num_weights(7) for memory in Memory] == [7, 7, 1]


def test_options_are_read_by_known_systems_and_refused_by_others():
    notes = {setting.name: setting.read_by for setting in settings_of(GeneratorConfig)}
    assert {name for note in notes.values() if note for name in note.systems} <= set(SYSTEMS)
    changes = {"heads": 1, "inducing_points": 4, "warp": "flow", "refine": "blend", "guided": False}
    for name, value in changes.items():
        for system in set(SYSTEMS) - set(notes[name].systems):
            with pytest.raises(ValueError, match=rf"options that {system} has, got \['{name}'\]"):
                config_of(system, **{name: value})
