"""The rules of a contract as SQL that says which one a row breaks, in a sentence."""

from orchestration.core.contracts import COUNTRIES, Field, Source

# ISO 8601 with an offset; DuckDB's own cast would take a date alone, or none of an offset, as UTC.
INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?([Zz]|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
ADDRESS = r"[^@\s[:cntrl:]]+@[^@\s[:cntrl:]]+"
SHOWN = 40


def reason_sql(source: Source) -> str:
    """The first rule a row breaks, as a sentence, or null. It never repeats an address or free text."""
    lines = [
        "when not json_valid(text) then 'the line is not JSON'",
        "when json_type(text) <> 'OBJECT' then 'the line is not a JSON object'",
        "when has_twice then 'a field is there twice'",
    ]
    for field in source.fields:
        lines += _rules(field)
    return "case " + " ".join(lines) + " end"


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
