"""The code location: loads what is under defs/, nothing else."""

import dagster as dg

from orchestration.settings import PROJECT_DIR


@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=PROJECT_DIR)
