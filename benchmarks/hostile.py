"""Try as many hostile inputs as one likes, of every kind, and list the answers that no user should get.

    python -m benchmarks.hostile NUMBER SEED [SEED ...]

NUMBER cases for each seed, divided among the kinds (tests/hostile/kinds.py). The table is written after each seed. The
exit code is 1 if any answer was unacceptable. A single case again: `next(try_cases(KIND, SEED, [NUMBER]))` of
tests/hostile/trial.py.
"""

import sys
from collections import Counter
from collections.abc import Sequence

from benchmarks.report import write_report
from magic.checks import printable
from magic.machine import machine
from magic.tables import markdown_table
from pipelines.progress import progress
from tests.hostile.kinds import KINDS
from tests.hostile.trial import MAX_CASE_BYTES, TIMEOUT_S, Outcome, try_cases

HEAD = ("seed", "kind", "cases", "accepted", "refused", "other answers", "unacceptable", "slowest", "most memory")


def try_all(num_cases: int, seed: int) -> list[Outcome]:
    """Some cases of every kind; the first kinds get one more where the number cannot be divided."""
    outcomes = []
    with progress(f"seed {seed}", num_cases, "case") as shown:
        for place, kind in enumerate(KINDS):
            shown.describe(f"seed {seed}: {kind}")
            for outcome in try_cases(kind, seed, range(num_cases // len(KINDS) + (place < num_cases % len(KINDS)))):
                outcomes.append(outcome)
                shown.update()
                if not outcome.is_acceptable:
                    print(line(seed, outcome), flush=True)
    return outcomes


def row(seed: int, kind: str, outcomes: Sequence[Outcome]) -> list[str]:
    """What came of a kind's cases, as a row of the table."""
    answers = Counter(outcome.answer for outcome in outcomes if outcome.is_acceptable)
    accepted, refused = answers.pop("accepted", 0), answers.pop("refused", 0)
    others = ", ".join(f"{count} {answer}" for answer, count in sorted(answers.items())) or "-"
    num_bad = sum(not outcome.is_acceptable for outcome in outcomes)
    slowest = max((outcome.seconds for outcome in outcomes), default=0)
    largest = max((outcome.megabytes for outcome in outcomes), default=0)
    cells = (seed, kind, len(outcomes), accepted, refused, others, num_bad, f"{slowest:.1f} s", f"{largest:.0f} MB")
    return [str(cell) for cell in cells]


def line(seed: int, bad: Outcome) -> str:
    """A case whose answer was unacceptable, as an item of a list."""
    return f"- seed {seed}, {bad.kind} {bad.number}: `{printable(bad.name)[:300]}`: {printable(bad.answer)}"


def report(command: str, by_seed: dict[int, list[Outcome]]) -> str:
    """The table, and every case whose answer was unacceptable."""
    everything = [(seed, outcome) for seed, outcomes in by_seed.items() for outcome in outcomes]
    rows = [
        row(seed, kind, [outcome for outcome in outcomes if outcome.kind == kind])
        for seed, outcomes in by_seed.items()
        for kind in KINDS
    ]
    bad = [line(seed, one) for seed, one in everything if not one.is_acceptable]
    return (
        f"# Hostile and odd inputs\n\n`{command}` on {machine('ray', 'mlflow', 'pillow', 'tyro')}\n\n"
        f"{markdown_table(list(HEAD), rows)}\n\nUnacceptable is what no user should get: a traceback, silence, an "
        f"error of several lines, more than {TIMEOUT_S} s, more than {MAX_CASE_BYTES / 1e9:g} GB, a wrong result. "
        "Memory is what a case added to the process that tried it.\n\n"
        + "\n".join(bad or ["No answer was unacceptable."])
        + "\n"
    )


def main(num_cases: int, seeds: Sequence[int]) -> int:
    by_seed: dict[int, list[Outcome]] = {}
    for seed in seeds:
        by_seed[seed] = try_all(num_cases, seed)
        command = f"python -m benchmarks.hostile {num_cases} {' '.join(map(str, by_seed))}"
        write_report("hostile", report(command, by_seed))
    return int(not all(outcome.is_acceptable for outcomes in by_seed.values() for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), [int(seed) for seed in sys.argv[2:]]))
