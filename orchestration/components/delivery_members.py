"""The part of delivery by which recipients become members of the audience, and are asked first where they have to be."""

import logging
from collections.abc import Sequence

from orchestration.components.delivery_audience import (
    SignedUp,
    drop,
    email_of,
    own_fields,
    recipients_by_hash,
    recorded,
)
from orchestration.core.audience import drop_reason
from orchestration.core.errors import MailchimpRefused
from orchestration.core.signup import Signup
from orchestration.core.wave import Recipient
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_audience import BATCH, Member, address_hash
from orchestration.settings import Settings

log = logging.getLogger(__name__)

_LEFT = ("unsubscribed", "cleaned")


def make_members(
    settings: Settings, ledger: Ledger, gateway: Gateway, wave_id: str, signed_up: SignedUp
) -> dict[str, Recipient]:
    """Every recipient is a subscribed member of the audience; who can't be is excluded. The recipients who are left.

    Only addresses Mailchimp does not know at all are created. Who has to confirm is asked by Mailchimp, and excluded.
    """
    people = recipients_by_hash(ledger, wave_id)
    known = gateway.members_of([email_of(person) for person in people.values()])
    said = signed_up({person.contact_id for person in people.values()})
    signups = {one: said[person.contact_id] for one, person in people.items() if person.contact_id in said}
    new = [one for one in people if one not in known]
    doubtful = {one: people[one] for one in new if one in signups and signups[one].wants_confirmation(None)}
    sure = [people[one] for one in new if one not in doubtful]
    refused = _add(settings, ledger, gateway, wave_id, sure, known)
    refused |= _add(settings, ledger, gateway, wave_id, list(doubtful.values()), known, ask=True)
    drops = {one: "mailchimp_refused" for one in refused}
    for one in people.keys() - refused:
        status = known[one].status if one in known else None
        if status != "subscribed":
            drops[one] = drop_reason(status)
    for one, signup in signups.items():
        if one in known and _has_to_confirm(signup, known[one]):
            is_asked = _ask_to_confirm(ledger, gateway, wave_id, people[one])
            if is_asked or known[one].status == "subscribed":
                drops[one] = "mailchimp_pending"
    return drop(ledger, wave_id, people, drops)


def _add(
    settings: Settings,
    ledger: Ledger,
    gateway: Gateway,
    wave_id: str,
    people: Sequence[Recipient],
    known: dict[str, Member],
    *,
    ask: bool = False,
) -> set[str]:
    """Create members and put them into `known`. The address hashes that Mailchimp refuses."""
    refused: set[str] = set()
    for start in range(0, len(people), BATCH):
        batch = {email_of(person): own_fields(settings, person) for person in people[start : start + BATCH]}
        with recorded(ledger, wave_id, "add_new_members", people=len(batch)) as outcome:
            added = gateway.add_new_members(list(batch.items()), ask=ask)
            outcome.update(created=len(added.created), existing=len(added.existing), refused=len(added.refused))
        log.info(
            "Wave %s: %d of %d new members%s", wave_id, start + len(batch), len(people), " are asked" if ask else ""
        )
        refused |= added.refused.keys()
        known.update(dict.fromkeys(added.created, Member("pending" if ask else "subscribed", {})))
        # Somebody became a member since the look-up, who knows with which status.
        known.update(gateway.members_of([address for address in batch if address_hash(address) in added.existing]))
    return refused


def _has_to_confirm(signup: Signup, member: Member) -> bool:
    """Whether Mailchimp has to ask a member whether they mean it (DESIGN 7).

    That is who had left there and has signed up since, which happens once for a signup: asked, they have changed later than it.
    Where it is not known when they left, nobody is asked. And it is who said no only here, and was signed up since by a browser.
    """
    if member.status in _LEFT:
        return member.changed_at is not None and signup.last_at > member.changed_at
    return member.status == "subscribed" and signup.wants_confirmation(member.opted_in_at)


def _ask_to_confirm(ledger: Ledger, gateway: Gateway, wave_id: str, person: Recipient) -> bool:
    """Whether Mailchimp has asked them."""
    try:
        with recorded(ledger, wave_id, "ask_to_confirm", contact_id=person.contact_id):
            gateway.ask_to_confirm(email_of(person))
    except MailchimpRefused as error:
        log.info("Contact %s: %s", person.contact_id, error)
        return False
    return True
