"""Every error Pennypost raises on purpose.

    PennypostError
    ├── SettingsError          an environment variable is missing or makes no sense
    ├── WarehouseError
    │   ├── WarehouseBusy      another process holds the one writer's lock
    │   ├── NoBuildYet         nothing complete and tested to read
    │   └── BuildFailed        a model or a test of it failed
    ├── EventRefused           what arrived is no event, or breaks its contract
    ├── BackupError            a backup can't be made, is not whole, or has nowhere to go
    ├── ShopError              the shop does not answer, or not as it should
    ├── AlertError             somebody could not be told
    ├── RejectsError           rejects can't be put back as asked
    ├── CampaignError          a campaign file can't be understood
    │   ├── RenderError        its template or its content can't be rendered
    │   └── PolicyBlocked      its email may not go to its audience
    ├── LedgerError
    │   ├── IllegalMove        a wave was told to make a move its state does not allow
    │   ├── AlreadyClaimed     a recipient was claimed by another wave first
    │   └── StaleApproval      the approved hash is not the draft's
    ├── PolicyError            a labelled phrase of the policy check can't be understood
    ├── SendingStopped         somebody paused all sends, or a breaker did
    └── MailchimpError
        ├── MailchimpRefused   Mailchimp said no, and will say no again
        ├── MailchimpUnknown   the answer was lost: whether it was done must be looked up
        └── NotReadyToSend     the send checklist has an error

Messages say what was wrong, where, and what to do. They carry contact ids, never addresses.
"""

from collections.abc import Sequence


class PennypostError(Exception):
    """The root: catch this to catch all that Pennypost raises on purpose."""


class PolicyError(PennypostError):
    """A labelled phrase of the policy check can't be understood."""


class SettingsError(PennypostError):
    """An environment variable is missing or makes no sense."""


class WarehouseError(PennypostError):
    """The warehouse can't do what was asked."""


class WarehouseBusy(WarehouseError):
    """Another process holds the writer's lock longer than we were ready to wait."""


class NoBuildYet(WarehouseError):
    """There is no complete, tested build to read."""


class BuildFailed(WarehouseError):
    """A model could not be made, or a test of it failed."""


class EventRefused(PennypostError):
    """What arrived is no event, or breaks a rule of its contract; the message says which and never repeats an address."""


class BackupError(PennypostError):
    """A backup can't be made, is not whole, or is to go where something else is."""


class ShopError(PennypostError):
    """The shop's API does not answer, or not as it should."""


class AlertError(PennypostError):
    """Whom ALERT_URL names could not be told."""


class RejectsError(PennypostError):
    """There is no such reject, or a mended file can't be understood."""


class CampaignError(PennypostError):
    """A campaign file can't be understood."""


class RenderError(CampaignError):
    """A campaign's template or content can't be rendered."""


class PolicyBlocked(CampaignError):
    """A campaign's email breaks rules of core/policy.py: `findings` say each where, which, on what ground, and what to do."""

    def __init__(self, campaign: str, findings: Sequence[object]) -> None:
        told = "\n".join(f"- {one}" for one in findings)
        super().__init__(
            f"Campaign {campaign}: its email may not go out, and nothing was drafted.\n{told}\n"
            "Mend that and launch again. Where an article is at fault, cancel the wave (action: cancel) and launch again: "
            "its readers are then given others."
        )
        self.findings = findings


class LedgerError(PennypostError):
    """The ledger refused."""


class IllegalMove(LedgerError):
    """A wave was told to make a move that its state does not allow."""


class AlreadyClaimed(LedgerError):
    """A recipient was claimed by another wave first."""


class StaleApproval(LedgerError):
    """The hash that was approved is not the hash of the draft as it is now."""


class SendingStopped(PennypostError):
    """Somebody paused all sends, or a breaker did; it says who or which, and what to do."""


class MailchimpError(PennypostError):
    """Mailchimp did not do what was asked."""


class MailchimpRefused(MailchimpError):
    """Mailchimp said no and would say no again: `status`, `title`, `detail` as in its problem document."""

    def __init__(self, message: str, *, status: int, title: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.detail = detail


class MailchimpUnknown(MailchimpError):
    """The answer was lost or made no sense: neither success nor failure may be assumed."""


class NotReadyToSend(MailchimpError):
    """The campaign's send checklist has an error."""
