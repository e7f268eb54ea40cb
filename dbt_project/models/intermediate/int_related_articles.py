"""Article → article, from what is read together and what the texts say: see orchestration/core/related_reading.py."""


def model(dbt, session):
    dbt.config(
        materialized="incremental",
        incremental_strategy="append",
        pre_hook="{% if is_incremental() and var('related_due') %} delete from {{ this }} {% endif %}",
    )
    texts, reads = dbt.ref("int_article_texts"), dbt.ref("int_article_reads")
    # empty where it is due, by the hook above, and at first
    if dbt.is_incremental and session.sql(f"from {dbt.this} limit 1").fetchone():
        return session.sql(f"from {dbt.this} limit 0")

    # scikit-learn takes seconds to import, and most builds don't need it
    import numpy as np
    import pyarrow as pa

    from orchestration.core.related_reading import Reads, relatives

    catalogue = texts.order("position").fetchnumpy()
    read = reads.fetchnumpy()
    found = relatives(Reads(read["reader"], read["position"], read["last_read_at"]), list(catalogue["text"]))
    ids = pa.array(catalogue["article_id"], pa.string())
    return pa.table(
        {
            "article_id": ids.take(pa.array(found.article)),
            "rank": pa.array(found.rank, pa.int64()),
            "related_article_id": ids.take(pa.array(found.relative)),
            "score": pa.array(found.score, pa.float64()),
            "reason": pa.array(np.where(found.is_by_text, "similar_text", "read_together"), pa.string()),
        }
    )
