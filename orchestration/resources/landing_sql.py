"""The SQL that reads, checks and lands the rows of one source, made from its contract (`core/contracts.py`).

A row arrives as one JSON text, whatever its file's format. DuckDB parses it once into texts, casts each, and gives the row a
reason if a rule is broken. Names ending in `_said` hold what the row says, before any cast.
"""

from orchestration.core.contracts import COUNTRIES, Field, Source
from orchestration.core.identity import address_id_sql, normal_address_sql
from orchestration.resources import landing_forgotten

# ISO 8601 with an offset; DuckDB's own cast would take a date alone, or none of an offset, as UTC.
INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?([Zz]|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
ADDRESS = r"[^@\s[:cntrl:]]+@[^@\s[:cntrl:]]+"
# Every field as text, a list or an object as the JSON it is; nothing where a line is no object, or has a field twice.
PARSE = """try(json_transform(text, '"MAP(VARCHAR, VARCHAR)"'))"""
PLAIN_ADDRESS = "[a-z0-9._%+-]+@[a-z0-9.-]+"
WHOLE = r"-?[0-9]+(\.0*)?"
SHOWN = 40


def insert_sql(source: Source, *, relation: str, original: str, usual: list[str], forgets: bool = False) -> str:
    """Land the good rows of `relation` (landing_file, line, text and the column `original`), and `note` all that are not plain.

    A row is plain when its fields are the `usual` ones, in that order, and good at first sight; others are looked at rule by
    rule. `note` has a side effect, which also keeps DuckDB from moving the filter below the parsing and so parsing once for
    each condition. `forgets`: people were erased, and the table `forgotten` tells whom. Parameters: $key, $batch_id,
    $ingested_at.
    """
    forgets = forgets and bool(source.addresses)
    places = list(dict.fromkeys([*usual, *(field.name for field in source.fields)]))
    by_name = "[" + ", ".join(f"map_extract_value(said, {_text(name)})" for name in places) + "]"
    said = ", ".join(
        f"contents[{places.index(field.name) + 1}] as {field.name}{_stage(field)}" for field in source.fields
    )
    looked = "".join(", " + look for field in source.fields if (look := _look(field)))
    typed = ", ".join(f"{_cast(field)} as {field.name}" for field in source.fields)
    names = [name for name, _ in source.columns()]
    columns = {name: _column(source, name) for name in names}
    judged, is_known, reason, kept, keys = "from typed", "true", reason_sql(source), "original", "keys"
    if forgets:
        judged, is_known = landing_forgotten.judged_sql(source, "typed"), "not is_forgotten"
        reason, kept = landing_forgotten.reason_sql(source, reason), landing_forgotten.original_sql()
        keys = landing_forgotten.keys_sql(source)
        columns = {name: landing_forgotten.column_sql(source, name, column) for name, column in columns.items()}
    return f"""
        insert into lake.raw.{source.name} ({", ".join(names)})
        with
        parsed as (
            select landing_file, line, text, {original} as original, {PARSE} as said from {relation}
        ),
        shaped as (select *, map_keys(said) as keys from parsed),
        found as (
            select *, coalesce(keys = {_texts(usual)}, false) as is_usual,
                case when is_usual then map_values(said) else {by_name} end as contents
            from shaped
        ),
        fields as (select landing_file, line, text, original, said, keys, is_usual, {said} from found),
        looked as (select *{looked} from fields),
        typed as (select *, {typed} from looked),
        judged as ({judged}),
        plain as (select *, is_usual and {is_known} and {_plain(source)} as is_plain from judged),
        noted as (
            select *,
                case when is_plain then true else note(landing_file, line, {reason}, {kept}, {keys}) end as lands
            from plain
        )
        select {", ".join(columns.values())}
        from noted
        where lands
    """


def usual_sql(relation: str) -> str:
    """The list of fields, in order, that most rows of `relation` have."""
    return f"select mode(map_keys({PARSE})) from {relation}"


def _stage(field: Field) -> str:
    """A list arrives as JSON, which is parsed one step later."""
    return "_text" if field.kind in ("texts", "structs") else "_said"


def _look(field: Field) -> str | None:
    """What is looked at once because both the cast and the tests need it."""
    name = field.name
    if field.kind in ("texts", "structs"):
        return f"try(json_transform({name}_text, {_text(_items(field))})) as {name}_said"
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
            shape = "____-__-__T__:__:__%"
            return (
                f"{field.name} is not null and "
                f"case when {said} like '{shape}Z' then true else {said} like '{shape}+__:__' end"
            )
        case "email":
            return f"{field.name}_is_plain"
        case "boolean":
            return f"{said} in ('true', 'false')"
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
    """A text that can't be a JSON object or list put into text."""
    return f"({said} < '[' or {said} >= '\\') and ({said} < '{{' or {said} >= '|')"


def reason_sql(source: Source) -> str:
    """The first rule a row breaks, as a sentence, or null. It never repeats an address or free text."""
    lines = [
        "when not json_valid(text) then 'the line is not JSON'",
        "when json_type(text) <> 'OBJECT' then 'the line is not a JSON object'",
        "when said is null then 'a field is there twice'",
    ]
    for field in source.fields:
        lines += _rules(field)
    return "case " + " ".join(lines) + " end"


def _cast(field: Field) -> str:
    said = f"{field.name}_said"
    match field.kind:
        case "instant":
            return f"coalesce(try_cast({said} as timestamptz), try_cast({_usual_instant(said)} as timestamptz))"
        case "money":
            return f"try_cast({said} as {field.sql_type})"
        case "integer":
            return _whole(said)
        case "boolean":
            return f"case {said} when 'true' then true when 'false' then false end"
        case "email":
            normal = f"nullif({normal_address_sql(said)}, '')"
            return f"case when {said} is null then null when {field.name}_is_plain then {said} else {normal} end"
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


def _rules(field: Field) -> list[str]:
    name, said = field.name, f"{field.name}_said"
    rules = []
    if field.required:
        rules.append(_missing(field))
    if field.kind in ("texts", "structs"):
        rules += _list_rules(field)
    elif field.kind != "boolean":
        rules.append(
            f"when left({said}, 1) in ('{{', '[') and json_type(text, '$.{name}') in ('OBJECT', 'ARRAY') "
            f"then '{name}: is neither text nor number'"
        )
    rules += _value_rules(field)
    return rules


def _missing(field: Field) -> str:
    name, said = field.name, f"{field.name}_said"
    if field.kind in ("texts", "structs"):
        return f"when {name}_text is null then '{name}: missing' when {said} is null then '{name}: is not a list'"
    empty = f" when coalesce({name}, '') = '' then '{name}: empty'" if field.kind in ("id", "email") else ""
    return f"when {said} is null then '{name}: missing'{empty}"


def _value_rules(field: Field) -> list[str]:
    name, said = field.name, f"{field.name}_said"
    shown = _shown(said)
    match field.kind:
        case "instant":
            return [
                f"when {said} is not null and ({name} is null or not regexp_full_match({said}, '{INSTANT}')) "
                f"then '{name}: ' || {shown} || ' is not a time with an offset'"
            ]
        case "email":
            return [
                f"when {name} is not null and not regexp_full_match({name}, '{ADDRESS}') then '{name}: not an address'"
            ]
        case "country":
            return [f"when {said} not in {COUNTRIES} then '{name}: ' || {shown} || ' is not an ISO 3166 country code'"]
        case "currency":
            return [
                f"when not regexp_full_match({said}, '[A-Z]{{3}}') "
                f"then '{name}: ' || {shown} || ' is not a currency of three capitals'"
            ]
        case "boolean":
            return [f"when {said} not in ('true', 'false') then '{name}: is neither true nor false'"]
        case "money" | "integer":
            what = "an amount of money" if field.kind == "money" else "a whole number"
            rules = [f"when {said} is not null and {name} is null then '{name}: ' || {shown} || ' is not {what}'"]
            if field.minimum is not None:
                rules.append(f"when {name} < {field.minimum} then '{name}: ' || {shown} || ' is below {field.minimum}'")
            return rules
    if field.allowed:
        allowed = ", ".join(field.allowed)
        return [f"when {said} not in {field.allowed} then '{name}: ' || {shown} || ' is none of {allowed}'"]
    return []


def _list_rules(field: Field) -> list[str]:
    name, said = field.name, f"{field.name}_said"
    types = f"json_type({name}_text, '$[*]')"
    is_wrong = "x in ('NULL', 'OBJECT', 'ARRAY')" if field.kind == "texts" else "x <> 'OBJECT'"
    rules = [f"when len(list_filter({types}, lambda x: {is_wrong})) > 0 then '{name}: holds a null or a wrong item'"]
    for part in field.fields:
        what = f"{name}.{part.name}"
        types = f"json_type({name}_text, '$[*].{part.name}')"
        rules.append(f"when list_has_any({types}, ['OBJECT', 'ARRAY']) then '{what}: is neither text nor number'")
        wrong = f"when len(list_filter({{items}}, lambda x: {{test}})) > 0 then '{what}: {{says}}'"
        rules.append(wrong.format(items=said, test=f"x.{part.name} is null", says="missing"))
        if part.kind == "id":
            rules.append(wrong.format(items=said, test=f"x.{part.name} = ''", says="empty"))
        if part.kind in ("money", "integer"):
            says = "is not an amount of money" if part.kind == "money" else "is not a whole number"
            rules.append(wrong.format(items=name, test=f"x.{part.name} is null", says=says))
            rules.append(
                wrong.format(items=name, test=f"x.{part.name} < {part.minimum}", says=f"is below {part.minimum}")
            )
    return rules


def _shown(said: str) -> str:
    """A wrong value as a reason shows it; anything that might be an address or a text stays out."""
    return f"case when length({said}) > {SHOWN} or {said} like '%@%' then 'the value' else '''' || {said} || '''' end"


def _column(source: Source, name: str) -> str:
    for email, column in source.addresses:
        if name == column:
            return address_id_sql(email, "$key")
    return {"landing_row": "line", "batch_id": "$batch_id", "ingested_at": "$ingested_at"}.get(name, name)


def _texts(texts: list[str]) -> str:
    return f"cast([{', '.join(map(_text, texts))}] as varchar[])"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
