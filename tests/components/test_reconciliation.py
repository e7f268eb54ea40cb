"""Both sides compared: each thing that was done in Mailchimp by hand is found and told, and a no wins."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.components.reconciliation import Reconciliation
from orchestration.core.identity import address_id
from orchestration.resources.keys import contact_key
from orchestration.resources.mailchimp_audience import address_hash
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.mailchimp_feedback import FeedbackGateway
from orchestration.resources.warehouse import Warehouse

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
TABLES = """
create table lake.marts.contacts (
    contact_id uuid, email varchar, is_addressable boolean, is_subscribed boolean, suppression_reason varchar
);
create table lake.marts.campaign_deliveries (wave_id varchar, contact_id uuid, delivery varchar);
create table lake.intermediate.int_consents (contact_id uuid, last_answered_at timestamptz);
create table lake.intermediate.int_address_owners (
    address_id uuid, contact_id uuid, owned_from timestamptz, owned_until timestamptz
);
"""


@dataclass
class TwoSides:
    """What the models would say of a few people, and a Mailchimp in which somebody has been busy."""

    shop: object
    warehouse: Warehouse
    gateway: FeedbackGateway

    def contact(self, address):
        return address_id(address, contact_key(self.shop.settings))

    def here(self, *people):
        """(address, whether they may be written to, days since they last answered, whether they were mailed)."""
        with self.warehouse.writer() as con:
            con.execute(TABLES)
            for address, is_addressable, days, was_mailed in people:
                one = self.contact(address)
                con.execute(
                    "insert into lake.marts.contacts values (?, ?, ?, ?, null)",
                    [one, address, is_addressable, is_addressable],
                )
                con.execute(
                    "insert into lake.intermediate.int_consents values (?, ?)", [one, AS_OF - timedelta(days=days)]
                )
                if was_mailed:
                    con.execute("insert into lake.marts.campaign_deliveries values ('w', ?, 'sent')", [one])
            self.warehouse.record_build(con, build_id="b1", build_no=1, as_of=AS_OF)

    def there(self, **statuses):
        """name → status, of members at shop.test."""
        for name, status in statuses.items():
            address = f"{name}@shop.test"
            body = {"email_address": address, "status": status, "status_if_new": status}
            self.gateway._lists.set_list_member(self.gateway.list_id, address_hash(address), body)

    def compare(self):
        """(name or wave id, difference, there), as marts.reconciliation would have them."""
        shop = self.shop
        outside = (shop.settings, shop.ledger, shop.gateway, self.gateway, self.warehouse)
        Reconciliation(*outside, "test").compare()
        with self.warehouse.latest() as con:
            rows = con.execute(
                "select coalesce(contact_id::varchar, wave_id), difference, there from lake.raw.reconciliation "
                "where difference <> 'compared' and compared_at = (select max(compared_at) from lake.raw.reconciliation)"
            ).fetchall()
        names = {self.contact(f"{name}@shop.test"): name for name in ("ann", "bob", "cy", "dee", "eve", "fay", "gus")}
        return {(names.get(who, who), difference, there) for who, difference, there in rows}


@pytest.fixture
def sides(open_shop):
    # Mailchimp's clock is the shop's, so that who signed up after they left can be told.
    shop = open_shop(lambda: AS_OF - timedelta(days=5))
    gateway = FeedbackGateway(shop.settings, Pauses(0.01, 0.02, 2))
    return TwoSides(shop, Warehouse(shop.settings), gateway)


def test_what_was_done_by_hand_is_found_person_by_person(sides):
    sides.here(
        ("ann@shop.test", True, 9, True),
        ("bob@shop.test", True, 9, True),
        ("cy@shop.test", True, 1, True),
        ("dee@shop.test", False, 9, True),
        ("eve@shop.test", True, 9, True),
        ("fay@shop.test", True, 9, False),
    )
    sides.there(ann="subscribed", bob="unsubscribed", cy="unsubscribed", dee="subscribed", gus="subscribed")
    assert sides.compare() == {
        ("bob", "no_there", "unsubscribed"),
        ("cy", "signed_up_since", "unsubscribed"),
        ("dee", "no_here", "subscribed"),
        ("eve", "gone_there", "no member"),  # and fay, who was never written to, has no reason to be there
        ("gus", "only_there", "subscribed"),
    }
    assert sides.shop.ledger.objections_after(0).to_pylist() == [
        {"contact_id": sides.contact("bob@shop.test"), "objection": "unsubscribed"}
    ]
    assert {one.status for one in sides.gateway.members().values()} == {"subscribed", "unsubscribed"}  # as it was
    assert len(sides.gateway.members()) == 5


def test_a_member_who_is_archived_or_asked_to_confirm_is_told(sides):
    sides.here(("ann@shop.test", True, 9, True), ("bob@shop.test", True, 9, True))
    sides.there(ann="subscribed", bob="pending")
    sides.gateway._lists.delete_list_member(sides.gateway.list_id, address_hash("ann@shop.test"))
    assert sides.compare() == {
        ("ann", "not_subscribed_there", "archived"),
        ("bob", "not_subscribed_there", "pending"),
    }


def test_two_sides_that_agree_differ_in_nothing(sides):
    sides.here(("ann@shop.test", True, 9, True), ("bob@shop.test", False, 9, True))
    sides.there(ann="subscribed", bob="unsubscribed")
    assert sides.compare() == set()


def test_a_campaign_that_was_deleted_there_is_found(sides):
    sides.here()
    shop = sides.shop
    kept, lost = shop.plan("ann@shop.test"), shop.plan("bob@shop.test")
    shop.resume(kept)
    shop.resume(lost)
    shop.gateway.delete_campaign(shop.ledger.wave(lost).mailchimp_campaign_id)
    found = sides.compare()
    assert (lost, "campaign_gone", "no campaign") in found
    assert not [one for one in found if one[0] == kept]


def test_an_emptied_audience_is_told_and_nobody_is_compared(sides):
    names = [f"p{number}" for number in range(12)]
    sides.here(*((f"{name}@shop.test", True, 9, True) for name in names))
    sides.there(**dict.fromkeys(names, "subscribed"))
    assert sides.compare() == set()
    for name in names:
        sides.gateway._lists.delete_list_member_permanent(sides.gateway.list_id, address_hash(f"{name}@shop.test"))
    [(who, difference, there)] = sides.compare()
    assert (who, difference) == (None, "audience_emptied")
    assert "had 12 subscribed members and has 0 now" in there
    assert sides.shop.ledger.objections_after(0).num_rows == 0
    assert [stop.kind for stop in sides.shop.ledger.stops()] == ["audience"]
