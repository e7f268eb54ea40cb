"""What a campaign file says, checked (DESIGN 6)."""

from typing import Literal

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
    """A discount code and the terms that must stand beside it (CAP 8.17)."""

    code: str
    percent: int = Field(gt=0, le=100)
    terms: str


class Articles(_Strict):
    """Related reading: how many cards a reader gets at the most, and the least that is worth an email."""

    slots: int = Field(3, ge=1, le=3)
    minimum: int = Field(2, ge=1)


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


class Rendered(_Strict):
    """An email ready for Mailchimp, merge tags still in it."""

    subject: str
    preheader: str
    html: str
    text: str
