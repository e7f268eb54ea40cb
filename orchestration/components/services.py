"""What the assets work with, made from the environment when first asked for."""

from dataclasses import dataclass
from functools import cached_property

from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_feedback import FeedbackGateway
from orchestration.resources.rejects import Rejects
from orchestration.resources.renderer import Renderer
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings


@dataclass(frozen=True)
class Services:
    """The outside world of one process."""

    settings: Settings

    @classmethod
    def from_env(cls) -> "Services":
        return cls(Settings.from_env())

    @cached_property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.settings)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.settings)

    @cached_property
    def gateway(self) -> Gateway:
        return Gateway(self.settings)

    @cached_property
    def feedback_gateway(self) -> FeedbackGateway:
        return FeedbackGateway(self.settings)

    @cached_property
    def rejects(self) -> Rejects:
        return Rejects(self.settings, self.warehouse)

    @cached_property
    def renderer(self) -> Renderer:
        return Renderer(self.settings)
