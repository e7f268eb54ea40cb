"""A reader's own code: in their email, in the shop's file before that, and in nobody's hands who bought meanwhile."""

import csv

import pytest

from orchestration.components.coupons import export_all
from orchestration.components.freshest import still_members
from orchestration.core.errors import MailchimpRefused, NotReadyToSend


def coupons(world):
    """file name → its rows."""
    folder = world.services.settings.coupons_dir
    return {path.name: list(csv.DictReader(path.open(newline=""))) for path in folder.glob("*")}


def codes(world, wave_id):
    return {one.email: one.slots["OFFER"] for batch in world.ledger.recipients(wave_id, "recipient") for one in batch}


def test_the_code_in_each_readers_email_is_theirs_and_one_the_shop_was_told(world):
    [wave] = world.run("send").waves
    given = codes(world, wave.wave_id)
    assert {one["to"]: one["merge_fields"]["OFFER"] for one in world.shop.outbox()} == given
    assert len(set(given.values())) == 2
    [(name, rows)] = coupons(world).items()
    assert name == f"welcome-{wave.wave_id}.csv"
    assert {row["post_title"] for row in rows} == set(given.values())
    assert {(row["coupon_amount"], row["usage_limit"], row["expiry_date"]) for row in rows} == {
        ("10", "1", "2026-12-23")
    }


def test_a_draft_leaves_no_code_in_anybodys_member_field_and_none_with_the_shop(world):
    [wave] = world.run("draft").waves
    members = world.services.gateway.members_of(["ann@shop.test", "bob@shop.test"])
    assert len(codes(world, wave.wave_id)) == 2
    assert [set(member.fields) for member in members.values()] == [{"FNAME"}, {"FNAME"}]
    assert coupons(world) == {}


def test_the_shops_file_is_complete_before_the_send(world, monkeypatch):
    def refused(campaign_id):
        raise MailchimpRefused("not now", status=400)

    monkeypatch.setattr(world.services.gateway, "send", refused)
    with pytest.raises(NotReadyToSend):
        world.run("send")
    [wave] = world.ledger.waves()
    assert world.shop.outbox() == []
    [rows] = coupons(world).values()
    assert {row["post_title"] for row in rows} == set(codes(world, wave.wave_id).values())


def test_files_that_are_missing_are_made_again_and_others_left_alone(world):
    world.run("send")
    before = coupons(world)
    [path] = export_all(world.services.settings, world.ledger)
    written_at = path.stat().st_mtime_ns
    assert export_all(world.services.settings, world.ledger) == [path]
    assert path.stat().st_mtime_ns == written_at
    path.unlink()
    export_all(world.services.settings, world.ledger)
    assert coupons(world) == before


def test_who_bought_between_plan_and_send_is_not_welcomed_with_a_code_for_a_first_order(world):
    [wave] = world.run("draft").waves
    with world.services.warehouse.writer() as con:
        con.execute("delete from lake.marts.segment_members where contact_id = ?", [world.contact("ann@shop.test")])
        world.services.warehouse.record_build(con, build_id="b2", build_no=2, as_of=wave.as_of)
    world.run("send")
    assert world.shop.mailed() == ["bob@shop.test"]
    assert world.ledger.outcomes(wave.wave_id)["excluded", "left_segment", None] == 1
    [rows] = coupons(world).values()
    assert [row["post_title"] for row in rows] == list(codes(world, wave.wave_id).values())


def test_only_members_of_the_segment_itself_are_still_members(world):
    ann, bob = world.contact("ann@shop.test"), world.contact("bob@shop.test")
    assert still_members(world.services.warehouse, "new_subscribers", {ann}) == {ann}
    assert still_members(world.services.warehouse, "treatment_readers", {ann, bob}) == set()
