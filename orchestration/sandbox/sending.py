"""What happens when a campaign is sent.

    actions/send ──► save → sending           one transaction, answered 204
    finish       ──► emails written, members who bounced, complained or left changed, sending → sent
                                              one transaction, after the answer

A process killed between the two leaves `sending`; the next start finishes it. Killed inside the second, nothing of it
has happened. So every email is there exactly once. An email is stored as its recipient and their merge fields at that
moment; it is rendered when somebody looks.
"""

import json
import re
import sqlite3

from orchestration.sandbox.calls import Call, Json
from orchestration.sandbox.member_rules import member_hash
from orchestration.sandbox.steering import COMPLAINT, HARD_BOUNCE, UNSUBSCRIBE
from orchestration.sandbox.store import Store

ABUSE = "abuse"
NO_REASON = "None given"

_POSTAL_ADDRESS = re.compile(r"\*\|(HTML:)?LIST[:_]ADDRESS")

# Two statements, so that the audience of a small segment costs nothing on a large list.
_WHOLE_LIST = "from members where members.list_id = :list and members.status = 'subscribed'"
_SEGMENT = """
    from segment_members join members on members.id = segment_members.member_id
    where segment_members.segment_id = :segment and members.list_id = :list and members.status = 'subscribed'
"""


def _audience(row: sqlite3.Row) -> tuple[str, Json]:
    """The end of a query over the members that a campaign would go to now, and its parameters."""
    segment = json.loads(row["recipients"]).get("segment_opts", {}).get("saved_segment_id")
    return (_WHOLE_LIST if segment is None else _SEGMENT), {"list": row["list_id"], "segment": segment}


def audience_size(db: sqlite3.Connection, row: sqlite3.Row) -> int:
    """How many would get the campaign if it were sent now: subscribed members only."""
    source, values = _audience(row)
    return db.execute(f"select count(*) {source}", values).fetchone()[0]


def first_recipient(db: sqlite3.Connection, row: sqlite3.Row) -> sqlite3.Row | None:
    """Somebody who would get the campaign if it were sent now."""
    source, values = _audience(row)
    return db.execute(f"select members.* {source} order by members.id limit 1", values).fetchone()


def checklist(db: sqlite3.Connection, row: sqlite3.Row) -> list[Json]:
    """What Mailchimp looks at before a send; an item of type error forbids it."""
    settings = json.loads(row["settings"])
    size = audience_size(db, row)
    has_sender = settings.get("from_name") and settings.get("reply_to")
    checks = [
        (101, "List", bool(size), f"{size} recipients.", "Your campaign has no recipients."),
        (102, "Subject Line", bool(settings.get("subject_line")), "It is set.", "You didn't enter a subject line."),
        (103, "From name and reply-to", bool(has_sender), "They are set.", "Enter a from name and a reply-to address."),
        (104, "HTML Email", bool(row["html"]), "It has been added.", "You haven't added any HTML content."),
        (105, "Plain-Text Email", bool(row["plain_text"]), "It has been added.", "There is no plain-text email."),
        (
            106,
            "Unsubscribe link",
            all("*|UNSUB|*" in (row[part] or "") for part in ("html", "plain_text")),
            "It is in both parts.",
            "*|UNSUB|* must be in the HTML and in the plain text.",
        ),
        (
            107,
            "Postal address",
            bool(_POSTAL_ADDRESS.search(row["html"] or "")),
            "It is in the HTML.",
            "Your postal address must be in the HTML: *|LIST:ADDRESSLINE|*.",
        ),
    ]
    return [
        {
            "type": "success" if passed else "error",
            "id": number,
            "heading": heading,
            "details": good if passed else bad,
        }
        for number, heading, passed, good, bad in checks
    ]


def start_sending(call: Call, row: sqlite3.Row) -> None:
    call.db.execute("update campaigns set status = 'sending', send_time = ? where id = ?", (call.now, row["id"]))
    call.to_send.append(row["id"])


def unfinished(store: Store) -> list[str]:
    """Campaigns that were `sending` when the process before this one ended."""
    with store.transaction() as db:
        return [row["id"] for row in db.execute("select id from campaigns where status = 'sending'")]


def finish(store: Store, campaign_id: str) -> None:
    """Send it: everybody in the audience gets one email. Does nothing unless the campaign is `sending`."""
    with store.transaction() as db:
        row = db.execute("select * from campaigns where id = ? and status = 'sending'", (campaign_id,)).fetchone()
        if row is None:
            return
        source, values = _audience(row)
        emails_sent = db.execute(
            f"""
            insert into emails (campaign_id, email_address, member_hash, merge_fields, outcome, sent_at)
            select :campaign, email_address, hash, merge_fields, outcome_of_send(email_address), :sent_at
            {source}
            order by members.id
            """,
            values | {"campaign": campaign_id, "sent_at": row["send_time"]},
        ).rowcount
        _members_react(db, row)
        db.execute("update campaigns set status = 'sent', emails_sent = ? where id = ?", (emails_sent, campaign_id))


def _members_react(db: sqlite3.Connection, row: sqlite3.Row) -> None:
    for outcome, reason in ((COMPLAINT, ABUSE), (UNSUBSCRIBE, NO_REASON)):
        db.execute(
            "update emails set unsubscribed_at = sent_at, unsubscribe_reason = ? where campaign_id = ? and outcome = ?",
            (reason, row["id"], outcome),
        )
    db.execute(
        """
        update members set
            status = case emails.outcome when :hard then 'cleaned' else 'unsubscribed' end,
            unsubscribe_reason = emails.unsubscribe_reason,
            unsubscribed_at = emails.unsubscribed_at,
            last_changed = emails.sent_at,
            in_compliance_state = 1
        from emails
        where emails.campaign_id = :campaign and emails.outcome in (:hard, :complaint, :unsubscribe)
            and members.list_id = :list and members.hash = emails.member_hash
        """,
        {
            "campaign": row["id"],
            "list": row["list_id"],
            "hard": HARD_BOUNCE,
            "complaint": COMPLAINT,
            "unsubscribe": UNSUBSCRIBE,
        },
    )


def leave(db: sqlite3.Connection, email: sqlite3.Row, now: str) -> None:
    """The reader of this email used its unsubscribe link."""
    list_id = db.execute("select list_id from campaigns where id = ?", (email["campaign_id"],)).fetchone()[0]
    changed = db.execute(
        """
        update members set status = 'unsubscribed', unsubscribe_reason = ?, unsubscribed_at = ?, last_changed = ?,
            in_compliance_state = 1
        where list_id = ? and hash = ? and status = 'subscribed'
        """,
        (NO_REASON, now, now, list_id, email["member_hash"]),
    ).rowcount
    if changed:
        db.execute(
            "update emails set unsubscribed_at = ?, unsubscribe_reason = ? where id = ?", (now, NO_REASON, email["id"])
        )


def nobodys_fields(db: sqlite3.Connection, list_id: str) -> str:
    """The merge fields (JSON) of an email that is to no member: Mailchimp shows their names in angle brackets."""
    fields = db.execute("select tag, name from merge_fields where list_id = ?", (list_id,))
    return json.dumps({tag: f"<< Test {name} >>" for tag, name in fields})


def send_test(db: sqlite3.Connection, row: sqlite3.Row, addresses: list[str], now: str) -> None:
    values = nobodys_fields(db, row["list_id"])
    db.executemany(
        """
        insert into emails (campaign_id, email_address, member_hash, merge_fields, outcome, is_test, sent_at)
        values (?, ?, ?, ?, 'delivered', 1, ?)
        """,
        [(row["id"], str(address), member_hash(str(address)), values, now) for address in addresses],
    )
