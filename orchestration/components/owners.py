"""Whose an address was at a time, by the last complete build; an address nobody knows yet has an id all the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from duckdb import CatalogException

from orchestration.core.errors import NoBuildYet
from orchestration.core.identity import address_id, normal_address
from orchestration.resources.keys import contact_key
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

_OWNERS = """
    with asked as (
        select unnest($ids::uuid[]) as address_id, unnest($emails::varchar[]) as email, unnest($times::timestamptz[]) as at_time
    ),
    owned as (
        select asked.*, coalesce(owners.contact_id, asked.address_id) as contact_id
        from asked
        left join lake.intermediate.int_address_owners as owners
            on asked.address_id = owners.address_id and owners.owned_from <= at_time and at_time < owners.owned_until
    )
    select owned.address_id::varchar, owned.contact_id::varchar, coalesce(contacts.email = owned.email, true)
    from owned
    left join lake.marts.contacts as contacts on owned.contact_id = contacts.contact_id
"""


@dataclass(frozen=True)
class Owner:
    """The contact of an address; `is_current`: it is the one they are written to, or nothing else is known of them."""

    contact_id: str
    is_current: bool


def owners_of(settings: Settings, warehouse: Warehouse, addresses: Mapping[str, datetime]) -> dict[str, Owner]:
    """address → its contact, from address → when it is asked about."""
    if not addresses:
        return {}
    key = contact_key(settings)
    ids = {address: address_id(address, key) for address in addresses}
    try:
        with warehouse.reader() as con:
            rows = con.execute(
                _OWNERS,
                {
                    "ids": list(ids.values()),
                    "emails": [normal_address(address) for address in ids],
                    "times": list(addresses.values()),
                },
            ).fetchall()
    except (NoBuildYet, CatalogException):
        rows = []  # nothing is known of anybody yet
    known = {one: Owner(contact_id, is_current) for one, contact_id, is_current in rows}
    return {address: known.get(one, Owner(one, True)) for address, one in ids.items()}
