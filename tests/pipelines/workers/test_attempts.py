import pytest

from pipelines.workers.attempts import MAX_CONSECUTIVE_FAILURES, Attempts, cause_of

ERROR = OSError("disk is full\nand more")


def test_a_task_is_tried_again_until_it_failed_too_often():
    attempts = Attempts(max_attempts=3)
    assert [attempts.failed(7, ERROR) for _ in range(3)] == [False, False, True]
    assert str(attempts.failure).startswith("1 tasks failed 3 times, task 7 with: OSError: disk is full;")
    assert attempts.failure.__cause__ is ERROR


def test_nothing_is_reported_of_tasks_that_succeeded_at_last():
    attempts = Attempts(max_attempts=2)
    attempts.failed(7, ERROR)
    attempts.succeeded(7)
    assert attempts.failure is None


def test_the_tasks_of_a_dead_worker_are_suspects_until_each_is_cleared():
    attempts = Attempts(max_attempts=1)
    attempts.suspect([4, 5])  # nobody knows which one it was: none is counted as failed
    assert attempts.failure is None
    assert attempts.has_suspects
    attempts.succeeded(4)
    assert attempts.has_suspects
    assert attempts.failed(5, ERROR)
    assert not attempts.has_suspects


def test_only_failures_with_no_success_in_between_are_hopeless():
    attempts = Attempts(max_attempts=1)
    for task in range(MAX_CONSECUTIVE_FAILURES - 1):
        attempts.failed(task, ERROR)
    attempts.succeeded(100)
    for task in range(MAX_CONSECUTIVE_FAILURES):
        assert not attempts.is_hopeless(1000)
        attempts.failed(200 + task, ERROR)
    assert attempts.is_hopeless(1000)
    assert not attempts.is_hopeless(10)  # these few can be tried all the same


def test_a_failure_names_its_work(caplog):
    Attempts(max_attempts=2, name="poster\n7").failed(3, ERROR)
    assert "poster\\n7: task 3 failed (1 of 2): OSError: disk is full" in caplog.text


@pytest.mark.parametrize(("error", "line"), [(ERROR, "OSError: disk is full"), (KeyError(), "KeyError")])
def test_a_cause_is_one_line(error, line):
    assert cause_of(error) == line
