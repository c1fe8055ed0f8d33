"""Some cases of every kind with a fixed seed. Long runs: `python -m benchmarks.hostile`."""

import pytest

from tests.hostile.kinds import KINDS
from tests.hostile.trial import try_cases

SEED = 15


@pytest.mark.parametrize("kind", KINDS)
def test_every_case_gets_a_right_answer(kind):
    bad = [outcome for outcome in try_cases(kind, SEED, range(KINDS[kind].num_tested)) if not outcome.is_acceptable]
    assert not bad, "\n".join(f"{outcome.number} {outcome.name}: {outcome.answer}" for outcome in bad)
