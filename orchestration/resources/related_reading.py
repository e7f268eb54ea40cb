"""Related reading as a SQL function, so that it is made within a build like every other table.

    related_reading(readers, positions, read_ats, texts) → [{position, rank, related_position, score, reason}, …]

The first three are lists of one length, one entry for each reader and article they read; `texts` is the catalogue, in which a
position counts from 0. What is done is in orchestration/core/related_reading.py; here only columns change hands, as Arrow's.
"""

import duckdb
import pyarrow as pa

PAIR = "struct(position bigint, rank bigint, related_position bigint, score double, reason varchar)"


def register(con: duckdb.DuckDBPyConnection) -> None:
    """Make the function known to a connection. Raises duckdb.CatalogException where it is known already."""
    con.create_function(
        "related_reading",
        _related_reading,
        ["bigint[]", "bigint[]", "bigint[]", "varchar[]"],
        f"{PAIR}[]",
        type="arrow",
    )


def _related_reading(readers: pa.Array, positions: pa.Array, read_ats: pa.Array, texts: pa.Array) -> pa.Array:
    # scikit-learn takes seconds to import, and most builds don't need it
    import numpy as np

    from orchestration.core.related_reading import Reads, relatives

    answers, lengths = [], []
    for row in range(len(texts)):
        reads = (np.asarray(column[row].values) for column in (readers, positions, read_ats))
        found = relatives(Reads(*reads), texts[row].as_py())
        reason = np.where(found.is_by_text, "similar_text", "read_together")
        columns = (found.article, found.rank, found.relative, found.score)
        answers.append(
            pa.StructArray.from_arrays(
                [*map(pa.array, columns), pa.array(reason, pa.string())],
                ["position", "rank", "related_position", "score", "reason"],
            )
        )
        lengths.append(len(found.rank))
    return pa.ListArray.from_arrays(pa.array(np.cumsum([0, *lengths]), pa.int32()), pa.concat_arrays(answers))
