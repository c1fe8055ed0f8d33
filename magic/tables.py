"""Tables in Markdown."""

from collections.abc import Mapping


def as_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Measures as lines and what was measured as columns, in Markdown."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [f"| measure | {' | '.join(rows)} |", "| --- " * (len(rows) + 1) + "|"]
    for name in names:
        values = (f"{row[name]:.4g}" if name in row else "" for row in rows.values())
        lines.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(lines)
