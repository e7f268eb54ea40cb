"""The part of delivery that is about people: consent, their fields, the wave's segment."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from orchestration.core.audience import drop_reason
from orchestration.core.content import CONTENT_FIELDS, PREFERENCES
from orchestration.core.errors import LedgerError, MailchimpRefused, MailchimpUnknown, NotReadyToSend, WarehouseBusy
from orchestration.core.preference_link import preference_token
from orchestration.core.signup import Signup
from orchestration.core.wave import Recipient
from orchestration.resources.ledger import Ledger
from orchestration.resources.lock import exclusive
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_audience import FIELDS, Member, address_hash
from orchestration.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
StillAddressable = Callable[[set[str]], Iterable[str]]
SignedUp = Callable[[set[str]], Mapping[str, Signup]]
MAX_MERGE_BYTES = 255  # Mailchimp cuts the text of a merge field there
_ASK_AT_ONCE = 10_000


@dataclass(frozen=True)
class Waits:
    """How long delivery waits, in seconds. `send_limit` must be well past Mailchimp's own limit for a call, 120 s."""

    poll: float = 2.0
    create_limit: float = 20.0
    send_limit: float = 180.0
    send_tries: int = 3
    sent_limit: float = 3600.0
    report_limit: float = 120.0
    lock: float = 600.0

    @classmethod
    def of(cls, settings: Settings) -> "Waits":
        """The sandbox finishes a call whose caller has gone within seconds, Mailchimp within minutes."""
        return cls(poll=0.05, create_limit=2.0, send_limit=10.0) if settings.uses_sandbox else cls()

    def until(self, look: Callable[[], T | None], limit: float, otherwise: str) -> T:
        """The first answer of `look` that is not None. Raises MailchimpUnknown(otherwise) after `limit` seconds."""
        give_up = time.monotonic() + limit
        while (found := look()) is None:
            if time.monotonic() >= give_up:
                raise MailchimpUnknown(otherwise)
            time.sleep(self.poll)
        return found


@contextmanager
def delivering(settings: Settings, wave_id: str, waits: Waits) -> Iterator[None]:
    """One process delivers at a time; the kernel frees the lock of one that dies. Raises LedgerError after a long wait."""
    try:
        with exclusive(settings.data_dir / "delivery.lock", wait=waits.lock, why=f"wave {wave_id}"):
            yield
    except WarehouseBusy as error:
        raise LedgerError(
            f"Wave {wave_id} has to wait: another process is delivering. Start it again when that one is done."
        ) from error


@contextmanager
def recorded(ledger: Ledger, wave_id: str, call: str, **detail: Any) -> Iterator[dict[str, Any]]:
    """An intent before, an outcome after. Yields a dict for what is worth keeping of the answer.

    A refusal is recorded as failed. After a kill or a lost answer the intent stays open: it may have been done.
    """
    intent = ledger.record_intent(wave_id, call, detail)
    outcome: dict[str, Any] = {}
    try:
        yield outcome
    except MailchimpRefused as error:
        ledger.record_outcome(intent, "failed", {"why": str(error)})
        raise
    ledger.record_outcome(intent, "done", outcome)


def recipients_by_hash(ledger: Ledger, wave_id: str) -> dict[str, Recipient]:
    """The wave's recipients by address hash. Whoever has no address, or another's, is taken out of a wave first."""
    people: dict[str, Recipient] = {}
    drops = []
    for batch in ledger.recipients(wave_id, "recipient"):
        for person in batch:
            if not person.email and person.delivery:
                continue  # erased since; what became of their email was asked before
            if not person.email:
                drops.append((person.contact_id, "no_address"))
            elif people.setdefault(address_hash(person.email), person) is not person:
                drops.append((person.contact_id, "same_address"))
    if drops:
        ledger.drop_recipients(wave_id, drops)
    return people


def write_fields(settings: Settings, ledger: Ledger, gateway: Gateway, wave_id: str) -> dict[str, Member]:
    """Every recipient's member has the fields of this wave. The members, as read after the last of it was written.

    Whose fields Mailchimp refuses is excluded. Raises NotReadyToSend when it silently keeps others' card codes.
    """
    people = recipients_by_hash(ledger, wave_id)
    wanted = {one: wanted_fields(settings, person) for one, person in people.items()}
    members = gateway.members_of([email_of(person) for person in people.values()])
    for _ in range(3):
        wrong = [one for one in people if one in members and _differs(wanted[one], members[one])]
        if not wrong:
            return members
        with recorded(ledger, wave_id, "set_fields", people=len(wrong)):
            asked = [(people[one], wanted[one]) for one in wrong]
            taken = list(gateway.in_parallel("writing fields", partial(_set_fields, gateway), asked))
        refused = {one: "mailchimp_refused" for one, fine in zip(wrong, taken, strict=True) if not fine}
        people = drop(ledger, wave_id, people, refused)
        members = gateway.members_of([email_of(person) for person in people.values()])
    wrong = [
        one for one in wrong if one in people and one in members and _differs(wanted[one], members[one], CONTENT_FIELDS)
    ]
    if wrong:
        named = ", ".join(people[one].contact_id for one in wrong[:5])
        raise NotReadyToSend(
            f"Wave {wave_id}: Mailchimp doesn't keep the cards and codes of {len(wrong)} members, such as {named}."
        )
    return members


def _set_fields(gateway: Gateway, one: tuple[Recipient, dict[str, str]]) -> bool:
    """False when Mailchimp refuses this very person; a member who is gone shows when they are read again."""
    person, fields = one
    try:
        gateway.set_fields(email_of(person), fields)
    except MailchimpRefused as error:
        if error.status not in (400, 404):
            raise
        log.info("Contact %s: %s", person.contact_id, error)
        return error.status != 400
    return True


def wanted_fields(settings: Settings, person: Recipient) -> dict[str, str]:
    """All of FIELDS, the empty ones too: what an earlier wave left there, or was written under another key, must go."""
    return own_fields(settings, person) | {tag: person.slots.get(tag) or "" for tag in CONTENT_FIELDS}


def own_fields(settings: Settings, person: Recipient) -> dict[str, str]:
    """Those that are the same in every wave."""
    key = settings.preferences_key if settings.preference_page else None
    return {"FNAME": _first_name(person), PREFERENCES: preference_token(email_of(person), key) if key else ""}


def _first_name(person: Recipient) -> str:
    # Mailchimp would carry out a merge tag that somebody typed as their name.
    return (person.first_name or "").replace("*|", "").replace("|*", "")


def _differs(wanted: Mapping[str, str], member: Member, tags: Sequence[str] = FIELDS) -> bool:
    """Of a subscribed member, whether one of the fields is not as wanted."""
    return member.status == "subscribed" and any(
        _kept(wanted[tag]) != _kept(member.fields.get(tag, "")) for tag in tags
    )


def _kept(value: str) -> str:
    return value.encode()[:MAX_MERGE_BYTES].decode(errors="ignore").strip()


def ask_consent_again(
    ledger: Ledger, gateway: Gateway, wave_id: str, still_addressable: StillAddressable, members: dict[str, Member]
) -> dict[str, Recipient]:
    """Whoever is not subscribed in Mailchimp, or not addressable by the freshest data, is out. Who is left.

    `members` is Mailchimp's word of just now; an address it does not know is a no.
    """
    people = recipients_by_hash(ledger, wave_id)
    drops = {}
    for one in people:
        status = members[one].status if one in members else None
        if status != "subscribed":
            drops[one] = drop_reason(status)
    asked = list(people)
    for start in range(0, len(asked), _ASK_AT_ONCE):
        some = asked[start : start + _ASK_AT_ONCE]
        fine = set(still_addressable({people[one].contact_id for one in some}))
        for one in some:
            if people[one].contact_id not in fine:
                drops[one] = "no_longer_addressable"
    return drop(ledger, wave_id, people, drops)


def match_segment(
    ledger: Ledger, gateway: Gateway, wave_id: str, segment_id: int, people: dict[str, Recipient]
) -> None:
    """The wave's segment in Mailchimp holds exactly these people. Raises NotReadyToSend when it can't be brought to."""
    inside = gateway.segment_members(segment_id)
    for _ in range(3):
        add = [email_of(person) for one, person in people.items() if one not in inside]
        remove = [address for one, address in inside.items() if one not in people]
        if not add and not remove:
            return
        with recorded(ledger, wave_id, "set_segment_members", add=len(add), remove=len(remove)):
            inside = gateway.set_segment_members(segment_id, add, remove)
    missing = [person.contact_id for one, person in people.items() if one not in inside]
    raise NotReadyToSend(
        f"Wave {wave_id}: Mailchimp's segment lacks {len(missing)} recipients and holds "
        f"{len(inside.keys() - people.keys())} others. Missing, for example: {', '.join(missing[:5]) or 'nobody'}."
    )


def drop(ledger: Ledger, wave_id: str, people: dict[str, Recipient], drops: dict[str, str]) -> dict[str, Recipient]:
    if drops:
        log.info("Wave %s: %d of %d recipients are taken out.", wave_id, len(drops), len(people))
        ledger.drop_recipients(wave_id, [(people[one].contact_id, reason) for one, reason in drops.items()])
    return {one: person for one, person in people.items() if one not in drops}


def free_everybody(ledger: Ledger, wave_id: str, reason: str) -> None:
    """Take everybody out of a wave that certainly did not go out: they are due again."""
    for batch in list(ledger.recipients(wave_id, "recipient")):
        ledger.drop_recipients(wave_id, [(person.contact_id, reason) for person in batch])


def email_of(person: Recipient) -> str:
    if person.email is None:
        raise NotReadyToSend(f"Contact {person.contact_id} has no address.")
    return person.email
