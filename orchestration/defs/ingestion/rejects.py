"""The job by which rejects come back: list them, hand them out to be mended, put them back, or dismiss them."""

from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field

from orchestration.components.services import Services
from orchestration.core.errors import RejectsError
from orchestration.resources.rejects import PutBack, Rejects


class What(dg.Config):
    action: Literal["list", "mend", "replay", "dismiss"] = Field(
        default="list",
        description=(
            "list: count them by source and reason. mend: write open ones to a file that only its owner reads, in which `row` is "
            "mended line by line. replay: put them back, from that file if one is named, else as they came, once they can be "
            "read. dismiss: let go of them; raw.rejects keeps their bytes."
        ),
    )
    source: Literal["orders", "signups", "article_views", "articles", "products"] = Field(
        default="orders", description="Whose rejects; not asked for by `list`, nor where a file is named."
    )
    reason: str = Field(
        default="",
        description="Only those whose reason has this in it, in any case; empty: all open ones of the source.",
    )
    file: str = Field(default="", description="For `replay`: the path of a mended file, as `mend` told it.")


@dg.op(pool="warehouse")
def handle_rejects(context: dg.OpExecutionContext, config: What) -> None:
    rejects = Services.from_env().rejects
    match config.action:
        case "mend":
            path, number = rejects.hand_out(config.source, config.reason)
            context.add_output_metadata({"handed out": number, "file": dg.MetadataValue.path(path)})
        case "replay":
            done = _replayed(rejects, config)
            left = "; ".join(f"{number}: {why}" for number, why in done.left) or "none"
            files = dg.MetadataValue.md("\n".join(f"- `landing/{path}`" for path in done.files) or "none")
            put_back = {"put back": done.replayed, "dismissed": done.dismissed, "left": left}
            context.add_output_metadata({**put_back, "files that go in with the next ingest": files})
        case "dismiss":
            context.add_output_metadata({"dismissed": rejects.dismiss(config.source, config.reason)})
        case _:
            names = ("source", "reason", "open", "replayed", "dismissed")
            records = [dg.TableRecord({name: getattr(one, name) for name in names}) for one in rejects.tally()]
            columns = [dg.TableColumn(name, type="string" if name in names[:2] else "int") for name in names]
            context.add_output_metadata({"rejects": dg.MetadataValue.table(records, schema=dg.TableSchema(columns))})


def _replayed(rejects: Rejects, config: What) -> PutBack:
    if not config.file:
        return rejects.replay(config.source, config.reason)
    try:
        text = Path(config.file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise RejectsError("The file can't be read as UTF-8 text. Give the path that `action: mend` told.") from error
    return rejects.replay_mended(text)


@dg.job(
    name="rejects",
    description="Rows that could not be read: list them, hand them out to be mended, put them back, or dismiss them.",
)
def rejects_job() -> None:
    handle_rejects()
