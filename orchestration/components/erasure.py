"""Erasure: a person taken out of everything (UK GDPR art. 17), as one writer, and finished by the next start if it is killed.

    written down     whom it is about, before the rows go that tell it
    marks            keyed ids, so that what arrives again does not bring them back
    lake             rows, then the old snapshots and the files they lay in
    landing files    rewritten without their rows, archived ones too
    ledger           the rows stay, without them; taken out of waves that have not gone out
    Mailchimp        delete-permanent
    SQLite, logs     whatever text still says an address; freed pages vacuumed
    receipt          what was removed, by opaque id

Each step may be done again; one that was done finds nothing.
"""

import logging
from collections import Counter

from orchestration.components.delivery_report import OF_SENT_TO
from orchestration.components.services import Services
from orchestration.core.erasure import Traces
from orchestration.core.errors import LedgerError, PennypostError, WarehouseBusy
from orchestration.resources.erasure_files import mask_files, scrub_mending, sqlite_files, sweep_spill
from orchestration.resources.erasure_lake import take_out
from orchestration.resources.erasure_landing import scrub_landing
from orchestration.resources.erasure_person import find_person
from orchestration.resources.erasure_plan import Plan, Receipt, begin, finish, marks_of, new_receipt, under_way
from orchestration.resources.erasure_purge import purge_in_a_process
from orchestration.resources.erasure_sqlite import scrub_in_a_process
from orchestration.resources.forgotten import Forgotten, remember
from orchestration.resources.keys import contact_key
from orchestration.resources.ledger_erasure import LedgerEraser, OpenClaim
from orchestration.resources.lock import exclusive
from orchestration.resources.mailchimp_audience import address_hash
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.mailchimp_erasure import EraserGateway

log = logging.getLogger(__name__)

CALL = "delete_permanent"
WAIT = 600.0
NOBODY = "Nobody was known here by that address or id, or they had been erased before. If not, look at its spelling."


def erase(services: Services, contact: str, *, who: str, pauses: Pauses | None = None) -> list[Receipt]:
    """Erase the person of an address (any spelling) or a contact id. Erasures that were killed are finished first.

    Gives a receipt for each. Raises PennypostError for an id that nobody has, LedgerError while a wave may be on its way to the
    person, WarehouseBusy, and MailchimpError: started again, it goes on.
    """
    settings = services.settings
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(settings.data_dir / "delivery.lock", wait=WAIT, why="an erasure"):
            receipts = [_finish(services, plan, pauses) for plan in under_way(settings)]
            return [*receipts, _finish(services, _begin(services, contact, who), pauses)]
    except WarehouseBusy as error:
        raise WarehouseBusy(f"The erasure waits for others to be done. {error} Then start it again.") from error


def _begin(services: Services, contact: str, who: str) -> Plan:
    settings, eraser = services.settings, LedgerEraser(services.settings)
    with services.warehouse.writer(wait=WAIT, why="finding out what to erase") as con:
        key = contact_key(settings)
        person = find_person(con, key, contact)
        from_waves = eraser.addresses(person.contact_ids)
        if not from_waves <= person.addresses.keys():
            person = find_person(con, key, contact, from_waves)
    if not person.addresses:
        raise PennypostError(
            f"Nothing is known of contact {contact}: no row and no wave. Give the address, or the id that `make why` tells."
        )
    _check_nothing_is_on_its_way(eraser.open_claims(person.contact_ids))
    return begin(settings, person, who=who)


def _check_nothing_is_on_its_way(claims: list[OpenClaim]) -> None:
    for claim in claims:
        if claim.state == "sending" and claim.may_have_gone_out:
            raise LedgerError(
                f"Wave {claim.wave_id} may be on its way to contact {claim.contact_id}. Launch its campaign again, so that it "
                "is finished, then erase. Nothing was erased yet."
            )


def _finish(services: Services, plan: Plan, pauses: Pauses | None) -> Receipt:
    """Every step, whatever an earlier try did of it."""
    settings, person = services.settings, plan.person
    log.info("Erasing contact %s.", ", ".join(person.contact_ids))
    traces = Traces(person.own_addresses)
    receipt = new_receipt(plan)
    key = contact_key(settings)
    receipt.marks = len(marks := marks_of(plan, key))
    with services.warehouse.lock(wait=WAIT, why="erasing a contact"):
        with services.warehouse.writer() as con:
            remember(settings, marks)
            _tell(receipt, "warehouse", take_out(con, services.warehouse, person, traces))
            landing = scrub_landing(con, settings, person, traces, Forgotten(settings, key))
            _tell(receipt, "landing files", Counter({"rows": landing.rows, "files rewritten": landing.files}))
            _tell(receipt, "files to be mended", Counter({"rows": scrub_mending(settings, person, traces)}))
        _tell(receipt, "lake", purge_in_a_process(settings))
    _tell(receipt, "ledger", _ledger(services, person.contact_ids))
    _tell(receipt, "Mailchimp", _mailchimp(services, plan, pauses))
    with services.warehouse.lock(wait=WAIT, why="erasing a contact"):
        files = scrub_in_a_process(sqlite_files(settings), person.own_addresses, catalogue=settings.catalog_path)
        _tell(
            receipt,
            "SQLite files",
            Counter({path.relative_to(settings.data_dir).as_posix(): n for path, n in files.items()}),
        )
    _tell(
        receipt, "logs", Counter({"files masked": mask_files(settings, traces), "spill files": sweep_spill(settings)})
    )
    if person.spoken_for:
        receipt.notes.append(
            f"{len(person.spoken_for)} of their addresses are another contact's at another time: what that contact said stays, "
            "and Mailchimp was not told of these."
        )
    # what else is removed is others': files that came again, snapshots of before
    if not any(where in ("warehouse", "ledger", "Mailchimp") for where, _, _ in receipt.removed):
        receipt.notes.append(NOBODY)
    finish(settings, plan, receipt)
    return receipt


def _tell(receipt: Receipt, where: str, counts: Counter[str]) -> None:
    receipt.removed += [(where, what, count) for what, count in sorted(counts.items()) if count]
    log.info("Erasure %s: %s done.", receipt.erasure_id, where)


def _ledger(services: Services, contact_ids: tuple[str, ...]) -> Counter[str]:
    """Out of the waves that have not gone out; of those that have, what became of it is asked while the address is known."""
    eraser, ledger = LedgerEraser(services.settings), services.ledger
    claims = eraser.open_claims(contact_ids)
    _check_nothing_is_on_its_way(claims)
    dropped = 0
    for claim in claims:
        if not claim.may_have_gone_out:
            dropped += ledger.drop_recipients(claim.wave_id, [(claim.contact_id, "suppressed")])
        elif claim.delivery is None:
            ledger.record_deliveries(
                claim.wave_id, [(claim.contact_id, _delivery(services, claim), _sent_at(services, claim))]
            )
    return Counter({"taken out of waves": dropped, "rows made nameless": eraser.erase(contact_ids)})


def _delivery(services: Services, claim: OpenClaim) -> str:
    if claim.email is None or claim.mailchimp_campaign_id is None:
        return "not_sent"
    sent = services.gateway.sent_to(claim.mailchimp_campaign_id)
    return OF_SENT_TO.get(sent.get(address_hash(claim.email), ""), "not_sent")


def _sent_at(services: Services, claim: OpenClaim):
    return services.ledger.wave(claim.wave_id).sent_at or services.settings.now()


def _mailchimp(services: Services, plan: Plan, pauses: Pauses | None) -> Counter[str]:
    settings, ledger = services.settings, services.ledger
    if settings.uses_sandbox and not settings.sandbox_path.exists():
        return Counter()
    gateway, book = EraserGateway(settings, pauses), f"erasure-{plan.erasure_id}"
    deleted = 0
    for number, address in enumerate(plan.person.own_addresses, 1):
        begun = [one for one in ledger.intents(book, CALL, ["intent"]) if one.detail["address"] == number]
        if gateway.is_member(address):
            intent = begun[0].id if begun else ledger.record_intent(book, CALL, {"address": number})
            gateway.delete_permanently(address)
            ledger.record_outcome(intent, "done")
            deleted += 1
        elif begun:
            ledger.record_outcome(begun[0].id, "done", {"found": "it was done"})
            deleted += 1
    return Counter({"members deleted for good": deleted})
