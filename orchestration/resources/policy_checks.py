"""The catalogue's texts held against the rules of core/policy.py, under the writer's lock, before the models are built.

raw.policy_checks has one row per article and product: hashes of its text and of the rules when it was last checked, and what
was found. It is checked again only when either has changed.
"""

import json
import logging
from datetime import datetime

import pyarrow as pa
from duckdb import DuckDBPyConnection

from orchestration.core.policy import check_catalogue
from orchestration.core.policy_rules import rules_hash

log = logging.getLogger(__name__)

_BATCH = 1_000

# Each catalogue as it was last sent (as staging has it, which is not there before the first build), its texts by field.
CATALOGUE = """
select 'article' as kind, article_id as item_id, url,
    to_json({title: title, summary: summary, body: body, url: url})::varchar as texts
from lake.raw.articles
qualify row_number() over (partition by article_id order by batch_id desc, landing_file desc, landing_row desc) = 1

union all

select 'product' as kind, sku as item_id, url,
    to_json({name: name, url: url})::varchar as texts
from lake.raw.products
qualify row_number() over (partition by sku order by batch_id desc, landing_file desc, landing_row desc) = 1
"""

_DUE = f"""
with catalogue as ({CATALOGUE})
select catalogue.kind, catalogue.item_id, catalogue.texts, sha256(catalogue.texts) as text_hash
from catalogue
anti join (select * from lake.raw.policy_checks where rules_hash = $rules_hash) as checked
    on catalogue.kind = checked.kind
    and catalogue.item_id = checked.item_id
    and sha256(catalogue.texts) = checked.text_hash
order by catalogue.kind, catalogue.item_id
"""

_FINDING = pa.struct([(name, pa.string()) for name in ("rule", "place", "found", "excerpt", "what", "source", "mend")])
_CHECKED = pa.schema(
    [
        *((name, pa.string()) for name in ("kind", "item_id", "text_hash", "rules_hash")),
        ("findings", pa.list_(_FINDING)),
    ]
)


def check_what_is_new(con: DuckDBPyConnection, now: datetime) -> bool:
    """Check what is new, changed, or was checked by other rules. `con` is a writer's.

    Whether something may be recommended that might not before, or the other way round.
    """
    due = con.cursor().execute(_DUE, {"rules_hash": rules_hash()})
    checked: list[dict] = []
    while rows := due.fetchmany(_BATCH):
        checked += [_checked(*row) for row in rows]
        log.info("Policy: %d articles and products checked", len(checked))
    if not checked:
        return False
    con.register("checked", pa.Table.from_pylist(checked, _CHECKED))
    con.execute("begin")
    (changed,) = con.execute(
        """
        select count(*) > 0
        from checked left join lake.raw.policy_checks as before using (kind, item_id)
        where (len(checked.findings) > 0) <> (coalesce(len(before.findings), 0) > 0)
        """
    ).fetchone()
    con.execute(
        "delete from lake.raw.policy_checks where exists "
        "(select 1 from checked where checked.kind = policy_checks.kind and checked.item_id = policy_checks.item_id)"
    )
    con.execute("insert into lake.raw.policy_checks by name select *, ? as checked_at from checked", [now])
    con.execute("commit")
    con.unregister("checked")
    log.info("Policy: %d of %d may not be in an email", sum(1 for row in checked if row["findings"]), len(checked))
    return changed


def _checked(kind: str, item_id: str, texts: str, text_hash: str) -> dict:
    fields = {name: value for name, value in json.loads(texts).items() if value}
    findings = [{name: getattr(one, name) for name in _FINDING.names} for one in check_catalogue(fields)]
    return {
        "kind": kind,
        "item_id": item_id,
        "text_hash": text_hash,
        "rules_hash": rules_hash(),
        "findings": findings,
    }
