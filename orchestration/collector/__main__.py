"""`python -m orchestration.collector`: serve the collector until stopped."""

import logging
import sys
from contextlib import suppress

from orchestration.collector.server import serve
from orchestration.core.errors import SettingsError
from orchestration.settings import Settings

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        with suppress(KeyboardInterrupt):  # how it is stopped; by then all is on disk
            serve(Settings.from_env())
    except SettingsError as error:
        sys.exit(str(error))
