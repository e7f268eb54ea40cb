"""`python -m orchestration.collector`: serve the collector until stopped."""

import logging
import sys

from orchestration.collector.server import serve
from orchestration.core.errors import SettingsError
from orchestration.settings import Settings

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        serve(Settings.from_env())
    except SettingsError as error:
        sys.exit(str(error))
