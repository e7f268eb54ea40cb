"""What an ingest did, for whoever shows it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class SourceReport:
    """What one source's new files brought. `unknown_fields` counts the rows that had a field no contract names."""

    files: int = 0
    rows_read: int = 0
    rows_landed: int = 0
    rejects: int = 0
    duplicates: int = 0
    unknown_fields: Counter[str] = field(default_factory=Counter)


@dataclass
class IngestReport:
    """What a batch did. `duplicates` maps a file to the one whose content it repeats; `changed` names files that had landed
    with other content; `left` those that could not be read now, with the reason: they are tried again next time."""

    batch_id: int | None = None
    per_source: dict[str, SourceReport] = field(default_factory=dict)
    duplicates: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> int:
        return sum(source.files for source in self.per_source.values())
