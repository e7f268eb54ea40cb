"""How much came in and what became of it, as Prometheus reads it (text format 0.0.4)."""

from collections import Counter

from orchestration.collector.journal import Journal

HELP = {
    "collector_events_total": "Events by door and what became of them.",
    "collector_requests_refused_total": "Requests refused, by status.",
}
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counts:
    """Counters since the start of the process."""

    def __init__(self) -> None:
        self._events: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[int] = Counter()

    def event(self, door: str, outcome: str, number: int = 1) -> None:
        """`outcome`: accepted, refused, left_out (a bot), not_needed (a topic nothing is made of) or odd (lands as a reject)."""
        self._events[door, outcome] += number

    def refused(self, status: int) -> None:
        self._refused[status] += 1

    def text(self, journal: Journal) -> str:
        lines = [
            *_head("collector_events_total", "counter", HELP["collector_events_total"]),
            *(
                f'collector_events_total{{door="{door}",outcome="{outcome}"}} {number}'
                for (door, outcome), number in sorted(self._events.items())
            ),
            *_head("collector_requests_refused_total", "counter", HELP["collector_requests_refused_total"]),
            *(
                f'collector_requests_refused_total{{status="{status}"}} {number}'
                for status, number in sorted(self._refused.items())
            ),
        ]
        for name, kind, help_text, value in (
            ("collector_commits_total", "counter", "Writes to disk, each for all that waited.", journal.commits),
            ("collector_files_landed_total", "counter", "Landing files made.", journal.files_landed),
            ("collector_sources_failing", "gauge", "Sources whose last events the disk did not take.", journal.failing),
            ("collector_files_unlanded", "gauge", "Complete files that can't be renamed yet.", journal.unlanded),
            ("collector_waiting", "gauge", "Requests that wait for the disk.", journal.waiting),
        ):
            lines += [*_head(name, kind, help_text), f"{name} {value}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, help_text: str) -> list[str]:
    return [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
