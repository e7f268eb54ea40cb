"""The renderer that every draft goes through: what it renders is held against the rules of core/policy.py before anybody sees it.

It looks at the email as rendered, at the pages of ours that it links to as the catalogue has them at this moment (an article may
have been changed since the wave was planned), and at the names that Mailchimp will keep.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from orchestration.components.delivery_campaign import title_of
from orchestration.core.campaign import Campaign, Content, Rendered
from orchestration.core.errors import PolicyBlocked
from orchestration.core.policy import Draft, Finding, check_draft
from orchestration.core.policy_parts import addresses_in, html_parts
from orchestration.resources.policy_checks import CATALOGUE
from orchestration.resources.renderer import Renderer
from orchestration.resources.warehouse import Warehouse

_LINKED = f"""
select kind, item_id, texts
from ({CATALOGUE})
where
    (kind = 'article' and list_contains($article_ids, item_id))
    or (kind = 'product' and list_contains($skus, item_id))
    or list_contains($pages, lower(rtrim(split_part(split_part(url, '?', 1), '#', 1), '/')))
order by kind, item_id
"""


class CheckedRenderer:
    """Renders as Renderer does, and raises PolicyBlocked where the email may not go to the campaign's audience."""

    def __init__(self, renderer: Renderer, warehouse: Warehouse) -> None:
        self._renderer = renderer
        self._warehouse = warehouse

    def render(
        self, campaign: Campaign, *, wave_id: str, content: Content, as_of: datetime, send_at: datetime | None
    ) -> Rendered:
        rendered = self._renderer.render(campaign, wave_id=wave_id, content=content, as_of=as_of, send_at=send_at)
        found = self.check(campaign, rendered, wave_id=wave_id, content=content)
        if found:
            raise PolicyBlocked(campaign.name, found)
        return rendered

    def check(self, campaign: Campaign, rendered: Rendered, *, wave_id: str, content: Content) -> list[Finding]:
        """What is wrong with an email of the campaign; empty where nothing is."""
        articles = [card for slot in content.articles for card in slot]
        products = [card for slot in content.products for card in slot]
        links = [*html_parts(rendered.html).links, *addresses_in(rendered.text)]
        draft = Draft(
            subject=rendered.subject,
            preheader=rendered.preheader,
            html=rendered.html,
            text=rendered.text,
            identity=self._renderer.identity,
            audience=campaign.audience,
            data={
                "campaign name": campaign.name,
                "campaign title": title_of(wave_id),
                **{f"article code of {card.article_id}": card.code for card in articles},
                **{f"product code of {card.sku}": card.code for card in products},
            },
            linked=self._linked([card.article_id for card in articles], [card.sku for card in products], links),
        )
        return check_draft(draft)

    def _linked(self, article_ids: list[str], skus: list[str], links: list[str]) -> Mapping[str, Mapping[str, str]]:
        """The texts of what is on its cards and of every page of the catalogue that it links to."""
        pages = sorted({link.partition("?")[0].partition("#")[0].rstrip("/").lower() for link in links})
        with self._warehouse.latest() as con:
            rows = con.execute(_LINKED, {"article_ids": article_ids, "skus": skus, "pages": pages}).fetchall()
        return {
            f"{kind} {item_id}": {name: value for name, value in json.loads(texts).items() if value}
            for kind, item_id, texts in rows
        }
