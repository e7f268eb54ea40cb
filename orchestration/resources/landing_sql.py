"""The SQL that reads, checks and lands the rows of one source, made from its contract (`core/contracts.py`).

A row arrives as one JSON text, whatever its file's format. DuckDB parses it once into texts, casts each, and gives the row a
reason if a rule is broken. Names ending in `_said` hold what the row says, before any cast.
"""

from orchestration.core.contracts import COUNTRIES, Field, Source
from orchestration.core.identity import address_id_sql, normal_address_sql
from orchestration.resources import landing_forgotten
from orchestration.resources.landing_rules import INSTANT, reason_sql
from orchestration.resources.quoting import quoted, quoted_name

# Every field as text, a list or an object as the JSON it is; nothing where a line is no object, or perhaps where it has a field
# twice. What is no JSON is kept from it: TRY takes a vector in which one row fails row by row, a hundred times slower.
PARSE = """case when json_valid(text) then try(json_transform(text, '"MAP(VARCHAR, VARCHAR)"')) end"""
PLAIN_ADDRESS = "[a-z0-9._%+-]+@[a-z0-9.-]+"
WHOLE = r"-?[0-9]+(\.0*)?"


def insert_sql(
    source: Source, *, relation: str, original: str, usual: list[str], shape: list[str], forgets: bool = False
) -> str:
    """Land the good rows of `relation` (landing_file, line, text, is_alike and the column `original`), and `note` all that are
    not plain.

    Where rows are said to be alike, those with just the fields of `shape`, in whatever order, are plain if they are good at first
    sight. Elsewhere all are read by name, which takes longer, and those that are good at first sight are plain if they have the
    unknown fields of the `usual` rows. What is not plain is looked at rule by rule. `note` has a side effect, which also keeps
    DuckDB from moving the filter below the parsing and so parsing once for each condition. Where nearly all rows need only one
    side of an `or` or `coalesce`, it is written as `case`: that alone leaves the other side out. `forgets`: people were erased,
    and the table `forgotten` tells whom. Parameters: $key, $batch_id, $ingested_at.
    """
    forgets = forgets and bool(source.addresses)
    known = ", ".join(quoted(field.name) for field in source.fields)
    also = _texts(unknown_fields(source, usual))
    said = ", ".join(_said(field, shape) for field in source.fields)
    looked = "".join(", " + look for field in source.fields if (look := _look(field)))
    typed = ", ".join(f"{_cast(field)} as {field.name}" for field in source.fields)
    names = [name for name, _ in source.columns()]
    columns = {name: _column(source, name) for name in names}
    judged, is_known, reason, kept, unknown = "from typed", "true", reason_sql(source), "original", "unknown"
    if forgets:
        judged, is_known = landing_forgotten.judged_sql(source, "typed"), "not is_forgotten"
        reason, kept = landing_forgotten.reason_sql(source, reason), landing_forgotten.original_sql()
        unknown = landing_forgotten.keys_sql(source, "unknown")
        columns = {name: landing_forgotten.column_sql(source, name, column) for name, column in columns.items()}
    return f"""
        insert into lake.raw.{source.name} ({", ".join(names)})
        with
        shaped as (
            select landing_file, line, text, {original} as original, is_alike,
                case when is_alike then {_struct(shape)} end as shaped
            from {relation}
        ),
        parsed as (
            select *, shaped is not null as is_shaped, case when shaped is null then {PARSE} end as by_name from shaped
        ),
        found as (
            select *, case when is_shaped then true else coalesce(map_keys(by_name) = {_texts(usual)}, false) end as is_usual
            from parsed
        ),
        fields as (
            select landing_file, line, text, original, is_alike, is_shaped, {said},
                case when is_usual then {also}
                    else list_filter(map_keys(by_name), lambda name: name not in ({known})) end as unknown,
                case when is_usual then false
                    else coalesce(list_unique(map_keys(by_name)) < cardinality(by_name), true) end as has_twice
            from found
        ),
        looked as (select *{looked} from fields),
        typed as (select *, {typed} from looked),
        judged as ({judged}),
        plain as (
            select *, case when is_shaped then true else not is_alike and not has_twice and unknown = {also} end
                and {is_known} and {_plain(source)} as is_plain
            from judged
        ),
        noted as (
            select *,
                case when is_plain then true
                    else note(landing_file, line, {reason}, {kept}, {unknown}, is_alike and not is_shaped) end as lands
            from plain
        )
        select {", ".join(columns.values())}
        from noted
        where lands
    """


def usual_sql(relation: str) -> str:
    """The list of fields, in order, that most rows of `relation` have, and which share of the rows have it."""
    return f"""
        with sample as materialized (select map_keys({PARSE}) as fields from {relation}),
        usual as (select mode(fields) as fields, count(*) as rows from sample)
        select fields, (select count(*) from sample where sample.fields = usual.fields) / rows as share from usual
    """


def unknown_fields(source: Source, usual: list[str]) -> list[str]:
    """The fields of a row that its contract does not name."""
    known = [field.name for field in source.fields]
    return [name for name in usual if name not in known]


def _struct(shape: list[str]) -> str:
    """A row with just these fields as a struct of texts, others as nothing: a cast from JSON to a struct fails for a field too
    many, missing, or there twice. (`json_transform_strict` takes one too many.)"""
    fields = ", ".join(f"{quoted_name(name)} varchar" for name in shape)
    return f"try(cast(cast(text as json) as struct({fields})))" if shape else "null"


def _said(field: Field, shape: list[str]) -> str:
    by_name = f"map_extract_value(by_name, {quoted(field.name)})"
    if field.name in shape:
        by_name = f"case when is_shaped then shaped.{field.name} else {by_name} end"
    return f"{by_name} as {field.name}{_stage(field)}"


def _stage(field: Field) -> str:
    """A list arrives as JSON, which is parsed one step later."""
    return "_text" if field.kind in ("texts", "structs") else "_said"


def _look(field: Field) -> str | None:
    """What is looked at once because both the cast and the tests need it."""
    name = field.name
    if field.kind in ("texts", "structs"):
        return f"try(json_transform({name}_text, {quoted(_items(field))})) as {name}_said"
    if field.kind == "instant":
        return f"try_cast({name}_said as timestamptz) as {name}_read"
    if field.kind == "email":
        return f"regexp_full_match({name}_said, '{PLAIN_ADDRESS}') as {name}_is_plain"
    return None


def _items(field: Field) -> str:
    """What `json_transform` is to find in a list: texts, so that each cast is ours and its failure a reason."""
    if field.kind == "texts":
        return '["VARCHAR"]'
    return "[{" + ", ".join(f'"{part.name}": "VARCHAR"' for part in field.fields) + "}]"


def _plain(source: Source) -> str:
    """Rows that are good at first sight: cheap, and never true of a bad one. `reason_sql` looks at the others."""
    tests = []
    for field in source.fields:
        test = _plain_field(field, f"{field.name}_said")
        if test:
            tests.append(f"({test})" if field.required else f"(({test}) is not false)")
    return " and ".join(tests)


def _plain_field(field: Field, said: str) -> str:
    match field.kind:
        case "instant":
            seconds = "____-__-__T__:__:__"
            return (  # a cast reads blanks and a minus where a year has its first digits, too
                f"{field.name} >= timestamptz '1000-01-01 00:00:00Z' and case when {said} like '{seconds}.___Z' then true "
                f"when {said} like '{seconds}Z' then true else regexp_full_match({said}, '{INSTANT}') end"
            )
        case "email":
            return f"{field.name}_is_plain"
        case "boolean":
            return f"case when {said} is not null then {field.name} is not null end"
        case "country":
            return f"{said} in {COUNTRIES}"
        case "currency":
            return f"regexp_full_match({said}, '[A-Z]{{3}}')"
        case "money" | "integer":
            return f"{field.name} >= {field.minimum}"
        case "texts":
            return f"len({said}) = len(list_filter({said}, lambda x: {_scalar('x')}))"
        case "structs":
            tests = " and ".join(
                f"x.{part.name} >= {part.minimum}" if part.minimum is not None else _scalar(f"x.{part.name}")
                for part in field.fields
            )
            return f"len({said}) = len(list_filter({field.name}, lambda x: {tests}))"
    if field.allowed:
        return f"{said} in {field.allowed}"
    return f"{said} <> '' and {_scalar(said)}" if field.kind == "id" else _scalar(said)


def _scalar(said: str) -> str:
    """A text that can't be a JSON object or list put into text. The codes of their brackets differ in one bit, so that one
    comparison tells both."""
    return f"ascii({said}) | 32 <> ascii('{{')"


def _cast(field: Field) -> str:
    said = f"{field.name}_said"
    match field.kind:
        case "instant":
            read = f"{field.name}_read"
            return f"case when {read} is null then try_cast({_usual_instant(said)} as timestamptz) else {read} end"
        case "money":
            return f"try_cast({said} as {field.sql_type})"
        case "integer":
            return _whole(said)
        case "boolean":
            return f"case {said} when 'true' then true when 'false' then false end"
        case "email":
            normal = f"nullif({normal_address_sql(said)}, '')"
            return f"case when not {field.name}_is_plain then {normal} else {said} end"
        case "id" if not field.required:
            return f"nullif({said}, '')"
        case "structs":
            parts = ", ".join(f"{part.name} := {_cast_part(part)}" for part in field.fields)
            return f"list_transform({said}, lambda x: struct_pack({parts}))"
    return said


def _cast_part(part: Field) -> str:
    said = f"x.{part.name}"
    match part.kind:
        case "money":
            return f"try_cast({said} as {part.sql_type})"
        case "integer":
            return _whole(said)
        case "id":
            return f"nullif({said}, '')"
    return said


def _whole(said: str) -> str:
    """A whole number; a cast alone would round 1.5."""
    return f"case when regexp_full_match({said}, '{WHOLE}') then try_cast({said} as bigint) end"


def _usual_instant(said: str) -> str:
    """ISO 8601 also allows small letters, a comma and no seconds; DuckDB's cast does not."""
    return rf"regexp_replace(replace(upper({said}), ',', '.'), '^(.{{10}}[T ][0-9]{{2}}:[0-9]{{2}})(Z|[+-].*)$', '\1:00\2')"


def _column(source: Source, name: str) -> str:
    for email, column in source.addresses:
        if name == column:
            return address_id_sql(email, "$key")
    return {"landing_row": "line", "batch_id": "$batch_id", "ingested_at": "$ingested_at"}.get(name, name)


def _texts(texts: list[str]) -> str:
    return f"cast([{', '.join(map(quoted, texts))}] as varchar[])"
