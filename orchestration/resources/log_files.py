"""The log files of our processes: a large one is begun anew, and the one before is kept.

Servers have them open and only ever add to them, so nothing is renamed: the content is copied, then the file is emptied. What is
added between the two is lost.
"""

import shutil

from orchestration.settings import Settings

LARGE = 10 << 20


def begin_large_logs_anew(settings: Settings, large: int = LARGE) -> int:
    """Gives how many were."""
    found = [path for path in sorted((settings.data_dir / "logs").glob("*.log")) if path.stat().st_size > large]
    for path in found:
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        with path.open("r+b") as file:
            file.truncate()
    return len(found)
