"""What a campaign file says, checked (DESIGN 6), and what a wave's email can show."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trigger(_Strict):
    """When a campaign is planned: `entry` with every event-driven run, `schedule` by cron (London time), `hand` only by hand."""

    when: Literal["entry", "schedule", "hand"]
    cron: str | None = None

    @model_validator(mode="after")
    def _cron_goes_with_schedule(self) -> "Trigger":
        if (self.when == "schedule") != (self.cron is not None):
            raise ValueError("`cron` is given with `when: schedule`, and only then")
        return self


class Offer(_Strict):
    """A discount, a code of their own for each reader, and the terms that must stand beside it (CAP 8.17).

    Codes close `valid_days` days after the plan, at the end of that day in London. `excluded_categories` are the shop's own ids
    of the product categories that the terms exclude: the coupon file carries them, so that the checkout does what the email says.
    """

    percent: int = Field(gt=0, le=100)
    valid_days: int = Field(gt=0)
    terms: str
    excluded_categories: tuple[int, ...] = ()


class Articles(_Strict):
    """Related reading: how many cards a reader gets at the most, and the least that is worth an email."""

    slots: int = Field(3, ge=1, le=3)
    minimum: int = Field(2, ge=1)


class Products(_Strict):
    """Products that go with what a reader bought: how many at the most. Who has none gets the email without."""

    slots: int = Field(3, ge=1, le=3)


class Reentry(_Strict):
    """Whether somebody may get the campaign again: never (`once`), or `after_days` days after the last one."""

    after_days: int | None = Field(None, gt=0)


class Campaign(_Strict):
    """One campaign file."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    segment: str
    audience: Literal["public", "professionals"] = Field(
        "public",
        description="professionals: only contacts whose registration as a health professional the shop has checked; "
        "core/policy.py has rules of its own for them",
    )
    trigger: Trigger
    template: str
    subject: str
    preheader: str
    articles: Articles | None = None
    products: Products | None = None
    offer: Offer | None = None
    approval: Literal["automatic", "by_hand"] = "by_hand"
    reentry: Reentry = Reentry()
    priority: int = Field(ge=1, description="1 is planned first")
    holdout: float = Field(0.0, ge=0, lt=1, description="share of the audience that gets nothing, to measure against")


class Card(_Strict):
    """An article as an email shows it. `code` is opaque: it is what Mailchimp gets to see in a member's field."""

    code: str
    article_id: str
    url: str
    title: str
    summary: str


class ProductCard(_Strict):
    """A product as an email shows it. `price` is in words, such as £28.00; `code` is opaque, as an article's is."""

    code: str
    sku: str
    url: str
    name: str
    price: str


class PlannedOffer(_Strict):
    """An offer as a wave makes it. `closes_on` is the last day, in London, on which its codes are taken."""

    percent: int
    closes_on: date
    excluded_categories: tuple[int, ...] = ()


class Content(_Strict):
    """What a wave's email can show, frozen when it is planned: cards by slot. Which of them a reader sees, and their own code of
    the offer, is in their member fields."""

    articles: list[list[Card]] = []
    products: list[list[ProductCard]] = []
    offer: PlannedOffer | None = None

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> "Content":
        """From a wave's `content` in the ledger, which may hold other things of versions before. Before there were products,
        articles were `slots`."""
        recorded = {"articles": recorded.get("slots", []), **recorded}
        return cls(**{name: recorded[name] for name in cls.model_fields if name in recorded})

    def seen_by(self, readers: Mapping[str, int]) -> "Content":
        """Without the cards whose code nobody has."""
        articles = [[card for card in slot if card.code in readers] for slot in self.articles]
        products = [[card for card in slot if card.code in readers] for slot in self.products]
        return Content(articles=articles, products=products, offer=self.offer)


class Rendered(_Strict):
    """An email ready for Mailchimp, merge tags still in it."""

    subject: str
    preheader: str
    html: str
    text: str


def expected_send(campaign: Campaign, now: datetime) -> datetime | None:
    """When an email that is drafted now goes out: at once, or nobody knows yet, where it waits for a person's approval."""
    return now if campaign.approval == "automatic" else None
