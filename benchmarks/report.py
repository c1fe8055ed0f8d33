"""Where benchmarks write what they measured."""

from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def write_report(name: str, text: str) -> None:
    """Write a Markdown text to benchmarks/results, and print it."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)
