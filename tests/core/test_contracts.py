"""The contract as data, and the id of an address."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.contracts import COUNTRIES, SOURCES
from orchestration.core.identity import address_id, address_id_sql, normal_address, normal_address_sql


def test_every_source_is_told_apart_by_a_required_id():
    for source in SOURCES.values():
        first = source.fields[0]
        assert (first.kind, first.required) == ("id", True), source.name


def test_the_columns_of_a_source_follow_its_fields():
    assert SOURCES["products"].columns() == [
        ("sku", "varchar"),
        ("name", "varchar"),
        ("url", "varchar"),
        ("price", "decimal(18, 2)"),
        ("currency", "varchar"),
        ("in_stock", "boolean"),
        ("landing_row", "bigint"),
        ("landing_file", "varchar"),
        ("batch_id", "bigint"),
        ("ingested_at", "timestamptz"),
    ]
    signups = [name for name, _ in SOURCES["signups"].columns()]
    assert signups[signups.index("previous_email") + 1] == "previous_address_id"
    assert dict(SOURCES["orders"].columns())["lines"] == (
        "struct(line_id varchar, sku varchar, name varchar, quantity bigint, unit_price decimal(18, 4))[]"
    )


def test_countries_are_two_capitals_each_once_and_hold_the_unknown_one():
    assert len(COUNTRIES) == len(set(COUNTRIES)) == 251
    assert all(len(code) == 2 and code.isupper() for code in COUNTRIES)
    assert {"GB", "ZZ"} <= set(COUNTRIES)
    assert "UK" not in COUNTRIES


def test_an_id_tells_spellings_of_one_address_together_and_keys_apart():
    assert address_id(" Ada@Mail.test\n", "k") == address_id("ada@mail.test", "k")
    assert address_id("ada@mail.test", "k") != address_id("ada@mail.test", "other")
    assert address_id("ada@mail.test", "k") != address_id("adb@mail.test", "k")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_sql_and_python_agree_on_every_address(text):
    sql = f"select {normal_address_sql('$address')}, {address_id_sql(normal_address_sql('$address'), '$key')}::varchar"
    assert duckdb.execute(sql, {"address": text, "key": "k"}).fetchone() == (
        normal_address(text),
        address_id(text, "k"),
    )
