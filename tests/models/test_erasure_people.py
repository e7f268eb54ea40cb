"""Whom an address means when a person is erased: addresses that were changed, handed on, or used on one device by two."""

import pytest

from orchestration.core.erasure import EVER_AFTER, EVER_BEFORE
from orchestration.resources.erasure_person import find_person
from orchestration.resources.keys import contact_key


@pytest.fixture(scope="module")
def find(world):
    def find(name):
        with world.warehouse.latest() as con:
            address = name if "@" in name else f"{name}@world.test"
            return find_person(con, contact_key(world.settings), address)

    return find


def names(addresses):
    return {address.removesuffix("@world.test") for address in addresses}


def test_any_of_their_addresses_in_any_spelling_means_all_of_them(find, world):
    found = [find(one) for one in ("chain-a@world.test", " Chain-B@World.TEST ", "chain-c@world.test")]
    assert {person.contact_ids for person in found} == {(world.second.id("chain-a"),)}
    assert [names(person.own_addresses) for person in found] == [{"chain-a", "chain-b", "chain-c"}] * 3


def test_a_contact_id_means_the_same_person(find, world):
    with world.warehouse.latest() as con:
        person = find_person(con, contact_key(world.settings), world.second.id("moves"))
    assert names(person.own_addresses) == {"moves", "moves-2"}


def test_who_had_the_mailbox_before_it_was_named_is_the_same_person(find, world):
    """takes-it told of a new address which had ordered before: nobody else reads that mailbox."""
    person = find("had-it-before")
    assert person.contact_ids == (world.second.id("takes-it"), world.second.id("had-it-before"))
    assert names(person.own_addresses) == {"takes-it", "had-it-before"}
    assert person.orders >= {"order-of-had-it-before", "after-the-take"}


def test_an_address_that_another_has_now_is_theirs_only_for_its_time(find, world):
    person = find("lost-it")
    assert names(person.spoken_for) == {"fought-over"}
    assert names(person.own_addresses) == {"lost-it"}
    (span,) = person.addresses["fought-over@world.test"]
    assert EVER_BEFORE < span.since < span.until < EVER_AFTER


def test_an_address_that_nobody_has_is_a_person_with_that_address(find):
    person = find("nobody@nowhere.test")
    assert person.own_addresses == ["nobody@nowhere.test"]
    assert not (person.orders or person.devices or person.shared_devices or person.accounts)


def test_a_device_that_two_were_seen_on_is_shared(find):
    shared = [find(name) for name in ("stays-shared-a", "stays-shared-b")]
    assert all(person.shared_devices for person in shared)
    assert not any(person.shared_devices & person.devices for person in shared)
