"""How every run is executed, those that the UI makes up when somebody materializes assets included."""

import dagster as dg

from orchestration.resources.liveness import one_process


@dg.definitions
def executor() -> dg.Definitions:
    return dg.Definitions(executor=one_process)
