"""What a contact's own signups say of whether they want emails, beside what Mailchimp says of them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Signup:
    """When somebody signed an address up last, and since when that has been doubtful.

    A public page takes any address from anybody. That will do until its owner has said no: from then on it may be somebody else
    who takes the no back for them (UK GDPR art. 7(1): whoever sends must be able to show who agreed). So what a browser alone has
    said after a no is unconfirmed until the owner confirms it to Mailchimp.
    """

    last_at: datetime
    unconfirmed_since: datetime | None = None

    def wants_confirmation(self, opted_in_at: datetime | None) -> bool:
        """Whether to ask before writing to them; `opted_in_at` is when they confirmed to Mailchimp last."""
        since = self.unconfirmed_since
        return since is not None and (opted_in_at is None or opted_in_at <= since)
