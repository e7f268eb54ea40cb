"""An address change keeps the person; an address belongs to them from then on (DESIGN 4)."""


def test_the_person_keeps_their_id_and_is_written_to_at_the_new_address(first):
    contact = first.contact("moves")
    assert contact.email == "moves-2@world.test"
    assert first.contact("moves-2") is None
    assert contact.order_count == 1
    assert first.segments("moves") == {"high_value_free_delivery", "treatment_readers"}


def test_what_the_new_address_did_before_is_its_own_contacts(first):
    before = first.contact("had-it-before")
    assert (before.email, before.first_name, before.order_count, before.is_addressable) == (None, "Before", 1, False)
    taker = first.contact("takes-it")
    assert (taker.email, taker.first_name, taker.order_count) == ("had-it-before@world.test", "Taker", 1)
    assert first.order("after-the-take").contact_id == taker.contact_id


def test_the_change_holds_from_its_very_instant(first):
    assert first.contact("to-the-tick").order_count == 1
    assert first.order("tick-of").contact_id == first.contact("to-the-tick").contact_id
    assert first.order("tick-before").contact_id == first.contact("to-the-tick-2").contact_id


def test_changes_one_after_the_other_lead_back_to_the_first_address(first):
    contact = first.contact("chain-a")
    assert (contact.email, contact.order_count) == ("chain-c@world.test", 1)
    assert first.contact("chain-b") is None and first.contact("chain-c") is None


def test_a_chain_whose_middle_is_told_last_is_the_same(second):
    contact = second.contact("long-chain-a")
    assert (contact.email, contact.order_count) == ("long-chain-d@world.test", 1)


def test_there_and_back_ends_at_the_first_address(first):
    assert first.contact("there-and-back").email == "there-and-back@world.test"
    assert first.contact("there") is None


def test_who_lost_their_last_address_to_another_has_none(first):
    assert first.contact("won-it").email == "fought-over@world.test"
    assert first.contact("lost-it").email is None
    assert not first.contact("lost-it").is_addressable


def test_only_update_preferences_changes_an_address(first):
    assert first.contact("subscribes-with-previous").email == "subscribes-with-previous@world.test"
    assert first.contact("is-not-previous").is_subscribed


def test_a_change_that_arrives_late_takes_everything_since_along(first, second):
    assert first.segments("vanishes") == {"high_value_free_delivery", "treatment_readers"}
    assert second.contact("vanishes") is None
    assert second.segments("vanishes") == set()
    into = second.contact("vanished-into")
    assert (into.email, into.order_count) == ("vanishes@world.test", 1)
    assert second.segments("vanished-into") == {"high_value_free_delivery", "treatment_readers"}
    assert second.rows("select * from lake.intermediate.int_consents where contact_id = ?", second.id("vanishes")) == []


def test_no_address_is_written_to_twice(second):
    assert (
        second.rows("select email from lake.marts.contacts group by email having count(*) > 1 and email is not null")
        == []
    )
