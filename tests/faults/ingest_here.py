"""Ingests what landed in DATA_DIR and prints the rows landed, or the error. Its files may not grow beyond MOST_BYTES."""

import os
import resource
import sys

from orchestration.core.errors import PennypostError
from orchestration.resources.landing import ingest
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

if most := int(os.environ.get("MOST_BYTES") or 0):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
settings = Settings.from_env()
try:
    report = ingest(settings, Warehouse(settings))
except PennypostError as error:
    sys.exit(str(error))
print(sum(source.rows_landed for source in report.per_source.values()))
