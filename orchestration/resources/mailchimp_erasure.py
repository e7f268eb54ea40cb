"""The gateway's call for an erasure: Mailchimp's delete-permanent, by address.

It deletes all that Mailchimp keeps of a person, for good: the address can only come back by its own signup at Mailchimp.
"""

from orchestration.core.errors import MailchimpRefused, MailchimpUnknown
from orchestration.resources.mailchimp_audience import AudienceGateway, address_hash


class EraserGateway(AudienceGateway):
    """One Mailchimp audience, as erasure sees it. Every method may be called again at any time."""

    def is_member(self, address: str) -> bool:
        """Whether Mailchimp keeps anything of an address, whatever its status, archived included."""
        try:
            self._call("a member", self._lists.get_list_member, self.list_id, address_hash(address), fields=["status"])
        except MailchimpRefused as error:
            if error.status != 404:
                raise
            return False
        return True

    def delete_permanently(self, address: str) -> None:
        """Erase a member. One that is not there is no error; after a lost answer it is looked whether it was done.

        Raises MailchimpUnknown when it stays there, MailchimpRefused when Mailchimp will not.
        """
        for attempt in range(self._call.pauses.tries):
            if attempt:
                self._call.pauses.wait(attempt - 1)
            try:
                self._call(
                    "erasing a member",
                    self._lists.delete_list_member_permanent,
                    self.list_id,
                    address_hash(address),
                    repeatable=False,
                )
                return
            except MailchimpUnknown as error:
                last = error
                if not self.is_member(address):
                    return
            except MailchimpRefused as error:
                if error.status != 404:
                    raise
                return
        raise MailchimpUnknown(f"{last} The member is still there. Start the erasure again later.") from last
