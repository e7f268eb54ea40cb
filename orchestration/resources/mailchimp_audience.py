"""The gateway's half that is about people: the audience, its members, their fields and segments.

People are named by address hash (MD5 of the lower-case address, Mailchimp's own member id). Nothing here can make an
existing member subscribed: `add_new_members` never updates, `set_fields` has no status to carry, and `ask_to_confirm`
leaves the answer to the person. Every method may be called again at any time.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from orchestration.core.content import CONTENT_FIELDS, PREFERENCES
from orchestration.core.errors import MailchimpRefused, MailchimpUnknown, SettingsError
from orchestration.resources.mailchimp_calls import PAGE, Calls, Pauses, moment_of, without_addresses
from orchestration.settings import Settings

log = logging.getLogger(__name__)

SANDBOX_LIST = "sandbox0001"
FIELDS = ("FNAME", *CONTENT_FIELDS, PREFERENCES)
BATCH = 500
CONFIRM_SINGLY = 1000
_OF_A_MEMBER = ("status", "merge_fields", "last_changed", "timestamp_opt")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Member:
    """What Mailchimp says of an address: its status, those of our merge fields (FIELDS) that are not empty, and when
    anything about it changed last; so of somebody who left, a moment not before they did. `opted_in_at` is when they
    confirmed last, or were added as subscribed."""

    status: str
    fields: dict[str, str]
    changed_at: datetime | None = None
    opted_in_at: datetime | None = None


@dataclass(frozen=True)
class Added:
    """What became of new members, by address hash: created, there already, or refused with Mailchimp's words."""

    created: set[str]
    existing: set[str]
    refused: dict[str, str]


def address_hash(address: str) -> str:
    """Mailchimp's id of a member: MD5 of the address in lower case."""
    return hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest()


class AudienceGateway:
    """One Mailchimp audience. May be shared between threads; never more than 8 calls are under way."""

    def __init__(self, settings: Settings, pauses: Pauses | None = None) -> None:
        self._call = Calls(settings, pauses or Pauses())
        self._lists = self._call.client.lists
        list_id = settings.mailchimp_list_id or (SANDBOX_LIST if settings.uses_sandbox else None)
        if list_id is None:
            raise SettingsError(
                "MAILCHIMP_LIST_ID is not set. Copy the audience's id from Mailchimp: Audience > Settings > Name and defaults."
            )
        self.list_id = list_id

    # ---------------------------------------------------------------- the account and the audience

    def ping(self) -> None:
        """Raises a MailchimpError unless Mailchimp answers and takes the key."""
        self._call("ping", self._call.client.ping.get)

    def ensure_list(self) -> str:
        """The audience's id, after asking Mailchimp for it. Raises SettingsError when there is none of that id."""
        try:
            return self._call("the audience", self._lists.get_list, self.list_id, fields=["id"])["id"]
        except MailchimpRefused as error:
            if error.status != 404:
                raise
            raise SettingsError(
                f"Mailchimp knows no audience {self.list_id}. Set MAILCHIMP_LIST_ID to one of this account's."
            ) from error

    def ensure_merge_fields(self) -> None:
        """Make the member fields that the emails' conditions use, where they are missing."""
        for attempt in range(self._call.pauses.tries):
            function = self._lists.get_list_merge_fields
            found = self._call.everything("merge fields", function, self.list_id, key="merge_fields", by="tag")
            missing = [tag for tag in FIELDS if tag not in found]
            if not missing:
                return
            if attempt:
                self._call.pauses.wait(attempt)
            for tag in missing:
                self._add_merge_field(tag)
        raise MailchimpUnknown(f"The audience's fields {', '.join(missing)} could not be made. Start again.")

    def _add_merge_field(self, tag: str) -> None:
        field = {"tag": tag, "name": f"Pennypost {tag}", "type": "text", "required": False, "public": False}
        try:
            self._call(f"new field {tag}", self._lists.add_list_merge_field, self.list_id, field, repeatable=False)
        except MailchimpUnknown as error:
            log.info("Mailchimp: field %s: %s It is looked for again.", tag, error)

    # ---------------------------------------------------------------- members

    def members(self) -> dict[str, Member]:
        """Every member of the audience, whatever their status, by address hash."""
        # Whether a plain listing holds the archived is nowhere said; they must never pass for unknown.
        return self._members() | self._members(status="archived")

    def subscribed_count(self) -> int:
        """How many members are subscribed."""
        answer = self._call(
            "the audience's size",
            self._lists.get_list_members_info,
            self.list_id,
            status="subscribed",
            count=1,
            fields=["total_items"],
        )
        return answer["total_items"]

    def members_of(self, addresses: Sequence[str]) -> dict[str, Member]:
        """Members by address hash; who is missing in the answer is not in the audience. Whichever way is fewer calls."""
        wanted = {address_hash(address) for address in addresses}
        size = self._call(
            "the audience", self._lists.get_list_members_info, self.list_id, count=1, fields=["total_items"]
        )
        if len(wanted) <= max(10, size["total_items"] // PAGE):
            return self._each(wanted)
        listed = self.members()
        found = {one: listed[one] for one in wanted if one in listed}
        missing = wanted - found.keys()
        # A listing that changes while it is read can skip somebody.
        return found | self._each(missing) if len(missing) <= CONFIRM_SINGLY else found

    def _members(self, **filters: Any) -> dict[str, Member]:
        fields = [f"members.{name}" for name in ("id", *_OF_A_MEMBER)] + ["total_items"]
        function = self._lists.get_list_members_info
        rows = self._call.everything(
            "members", function, self.list_id, key="members", by="id", fields=fields, **filters
        )
        return {one: _member(row) for one, row in rows.items()}

    def _each(self, wanted: Iterable[str]) -> dict[str, Member]:
        def look(one: str) -> tuple[str, Member] | None:
            try:
                row = self._call("a member", self._lists.get_list_member, self.list_id, one, fields=[*_OF_A_MEMBER])
            except MailchimpRefused as error:
                if error.status != 404:
                    raise
                return None
            return one, _member(row)

        return dict(filter(None, self._call.in_parallel("looking members up", look, list(wanted))))

    def add_new_members(self, people: Sequence[tuple[str, dict[str, str]]], *, ask: bool = False) -> Added:
        """Create members as subscribed, from (address, merge fields). Only for addresses Mailchimp does not know.

        With `ask` they are pending until they say yes to Mailchimp, which asks them. Whoever is there already is left as they
        are and comes back under `existing`.
        """
        status = "pending" if ask else "subscribed"
        added = Added(set(), set(), {})
        for start in range(0, len(people), BATCH):
            batch = people[start : start + BATCH]
            body = {
                "members": [
                    {"email_address": address, "status": status, "email_type": "html", "merge_fields": fields}
                    for address, fields in batch
                ],
                "update_existing": False,
            }
            answer = self._call(
                f"{len(batch)} new members",
                self._lists.batch_list_members,
                self.list_id,
                body,
                skip_merge_validation="true",
            )
            added.created.update(address_hash(one["email_address"]) for one in answer.get("new_members", []))
            for error in answer.get("errors", []):
                _sort_out(added, error)
            for address, _ in batch:
                one = address_hash(address)
                if one not in added.created and one not in added.existing:
                    added.refused.setdefault(one, "not in Mailchimp's answer")
        return added

    def set_fields(self, address: str, fields: dict[str, str]) -> None:
        """Write merge fields of an existing member; no status travels along."""
        self._call(
            "a member's fields",
            self._lists.update_list_member,
            self.list_id,
            address_hash(address),
            {"merge_fields": fields},
            skip_merge_validation="true",
        )

    def ask_to_confirm(self, address: str) -> None:
        """Have Mailchimp ask a member whether they want to be subscribed: their status is pending until they say so
        themselves."""
        self._call(
            "a confirmation",
            self._lists.update_list_member,
            self.list_id,
            address_hash(address),
            {"status": "pending"},
            skip_merge_validation="true",
        )

    def in_parallel(self, what: str, function: Callable[[T], R], things: Sequence[T]) -> Iterator[R]:
        """`function` of each thing, in order, as many at once as calls may be."""
        return self._call.in_parallel(what, function, things)

    # ---------------------------------------------------------------- tags are static segments

    def find_segments(self, name: str) -> list[int]:
        """Ids of the static segments of that name, the oldest first."""
        fields = ["segments.id", "segments.name", "total_items"]
        function = self._lists.list_segments
        rows = self._call.everything(
            "segments", function, self.list_id, key="segments", by="id", fields=fields, type="static"
        )
        return sorted(one for one, row in rows.items() if row["name"] == name)

    def ensure_segment(self, name: str) -> int:
        """The id of the static segment of that name, made if there is none."""
        for attempt in range(self._call.pauses.tries):
            if found := self.find_segments(name):
                return found[0]
            body = {"name": name, "static_segment": []}
            try:
                return self._call("a new segment", self._lists.create_segment, self.list_id, body, repeatable=False)[
                    "id"
                ]
            except MailchimpUnknown:
                self._call.pauses.wait(attempt)
            except MailchimpRefused:
                if not self.find_segments(name):
                    raise
        raise MailchimpUnknown(f"Segment {name} could not be made. Start again.")

    def segment_members(self, segment_id: int) -> dict[str, str]:
        """Everybody in the segment, whatever their status: address hash → address."""
        everybody = {f"include_{status}": "true" for status in ("cleaned", "transactional", "unsubscribed")}
        rows = self._call.everything(
            "the segment's members",
            self._lists.get_segment_members_list,
            self.list_id,
            str(segment_id),
            key="members",
            by="id",
            fields=["members.id", "members.email_address", "total_items"],
            **everybody,
        )
        return {one: row["email_address"] for one, row in rows.items()}

    def set_segment_members(self, segment_id: int, add: Sequence[str], remove: Sequence[str]) -> dict[str, str]:
        """Put addresses in and take others out, then read back who is in, as segment_members does."""
        changes = max(len(add), len(remove))
        for start in range(0, changes, BATCH):
            some = slice(start, start + BATCH)
            body = {"members_to_add": list(add[some]), "members_to_remove": list(remove[some])}
            self._call("the segment's members", self._lists.batch_segment_members, body, self.list_id, str(segment_id))
            log.info("Mailchimp: segment: %d of %d", min(start + BATCH, changes), changes)
        return self.segment_members(segment_id)

    def delete_segment(self, segment_id: int) -> None:
        """Delete the tag, not its members. One that is gone is no error."""
        try:
            self._call("deleting the segment", self._lists.delete_segment, self.list_id, str(segment_id))
        except MailchimpRefused as error:
            if error.status != 404:
                raise


def _member(row: dict[str, Any]) -> Member:
    fields = row.get("merge_fields") or {}
    values = {tag: str(fields[tag]) for tag in FIELDS if fields.get(tag)}
    return Member(row["status"], values, moment_of(row.get("last_changed")), moment_of(row.get("timestamp_opt")))


def _sort_out(added: Added, error: dict[str, Any]) -> None:
    """One of a batch's errors: somebody there already, or somebody refused (with Mailchimp's words, no address)."""
    one = address_hash(error.get("email_address") or "")
    if error.get("error_code") == "ERROR_CONTACT_EXISTS" or "is already a list member" in str(error.get("error")):
        added.existing.add(one)
    else:
        added.refused[one] = without_addresses(str(error.get("error") or error.get("field_message") or ""))
