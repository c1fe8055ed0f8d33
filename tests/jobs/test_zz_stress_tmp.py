import pytest
from tests.jobs.test_poster import *
@pytest.mark.parametrize("n",range(6))
def test_again(config, undisturbed, n):
    settings = config(workers=2+n%2)
    poster(settings)
    assert contents(settings.out) == undisturbed
@pytest.mark.parametrize("stage", ["statistics/mixing-03.safetensors"])
@pytest.mark.parametrize("n",range(4))
def test_stop(config, undisturbed, stage, n):
    test_a_stopped_job_goes_on_where_it_was(config, undisturbed, stage)
@pytest.mark.parametrize("n",range(3))
def test_kill(config, undisturbed, n):
    test_a_killed_render_worker_changes_nothing(config, undisturbed)
