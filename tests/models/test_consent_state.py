"""Consent, folded over what a contact said (DESIGN 5, Consent state)."""

import pytest


def test_an_unsubscribe_clears_everything(first):
    gone = first.contact("gone")
    assert (gone.is_subscribed, gone.basis, gone.first_name, gone.interests) == (False, None, None, [])
    assert not (gone.has_profiling_consent or gone.has_health_consent or gone.has_tracking_consent)
    assert not (gone.is_professional or gone.is_age_18_confirmed)


def test_a_subscribe_after_it_starts_from_nothing(first):
    back = first.contact("gone-then-back")
    assert (back.is_subscribed, back.basis, back.first_name) == (True, "soft_opt_in", None)
    assert not (back.has_profiling_consent or back.has_health_consent or back.has_tracking_consent)


@pytest.mark.parametrize("name", ["same-instant-a", "same-instant-b"])
def test_of_a_subscribe_and_an_unsubscribe_at_one_instant_the_unsubscribe_counts(first, name):
    contact = first.contact(name)
    assert (contact.is_subscribed, contact.has_profiling_consent) == (False, False)


def test_no_answer_keeps_the_earlier_one(first):
    contact = first.contact("no-answer")
    assert (contact.is_subscribed, contact.basis, contact.first_name, contact.interests) == (
        True,
        "consent",
        "Ann",
        ["peel"],
    )
    assert contact.has_profiling_consent and contact.has_health_consent and contact.has_tracking_consent


def test_a_no_takes_a_consent_back(first):
    contact = first.contact("takes-back")
    assert (contact.has_profiling_consent, contact.has_health_consent, contact.first_name) == (False, True, "Anna")


@pytest.mark.parametrize("name", ["no-basis", "basis-by-update"])
def test_without_a_basis_of_a_subscribe_nobody_is_addressable(first, name):
    contact = first.contact(name)
    assert (contact.is_subscribed, contact.basis, contact.is_addressable) == (True, None, False)


def test_preferences_alone_subscribe_nobody(first):
    contact = first.contact("only-updates")
    assert (contact.is_subscribed, contact.has_profiling_consent, contact.first_subscribed_at) == (False, True, None)
    assert first.segments("only-updates") == set()


def test_preferences_before_the_first_subscribe_are_kept(first):
    contact = first.contact("updates-first")
    assert (contact.is_subscribed, contact.has_profiling_consent) == (True, True)


def test_preferences_after_leaving_do_not_bring_back(first):
    contact = first.contact("updates-after-leaving")
    assert (contact.is_subscribed, contact.has_tracking_consent, contact.has_profiling_consent) == (False, True, False)


def test_a_hard_bounce_or_a_complaint_suppresses_for_good(first, second):
    assert first.contact("bounces").suppression_reason == "hard_bounce"
    assert second.contact("bounces").is_suppressed and not second.contact("bounces").is_addressable
    assert first.contact("complains").is_addressable
    complains = second.contact("complains")
    assert (complains.suppression_reason, complains.is_subscribed, complains.is_addressable) == (
        "complained",
        False,
        False,
    )


def test_an_unsubscribe_in_an_email_stands_whatever_is_recorded_of_that_email_later(first, second):
    assert first.contact("unsubscribes-in-the-email").is_addressable
    assert not second.contact("unsubscribes-in-the-email").is_subscribed
