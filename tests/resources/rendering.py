"""What the renderer's tests render: campaigns, cards and products of a made-up shop, and how a page is read."""

from datetime import UTC, date, datetime
from html.parser import HTMLParser

from orchestration.core.campaign import Campaign, Card, Content, PlannedOffer, ProductCard, Rendered
from orchestration.resources.renderer import Renderer

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
OFFER = {"percent": 10, "valid_days": 30, "terms": "Closes on {{ offer.closes_on }}. One use a person."}
PLANNED = PlannedOffer(percent=10, closes_on=date(2026, 12, 31))
READING = {"slots": 3, "minimum": 2}


def make_campaign(template: str, **fields) -> Campaign:
    needs = {
        "welcome": {"offer": OFFER},
        "free_delivery_thanks": {"products": {"slots": 3}},
        "treatment_reading": {"articles": READING},
    }.get(template, {})
    told = {"subject": "Hello from {{ brand.name }}", "preheader": "What is inside", **needs, **fields}
    return Campaign(
        name=template, description="d", segment="s", trigger={"when": "entry"}, template=template, priority=1, **told
    )


def make_card(number: int, **fields) -> Card:
    of_shop = {
        "code": f"c{number:09d}",
        "article_id": f"article-{number}",
        "url": f"https://larkspur-skin.test/blog/article-{number}",
        "title": f"Article number {number}",
        "summary": f"What article {number} is about.",
    }
    return Card(**{**of_shop, **fields})


def make_product(number: int, **fields) -> ProductCard:
    of_shop = {
        "code": f"p{number:09d}",
        "sku": f"LS-{number}",
        "url": f"https://larkspur-skin.test/products/{number}",
        "name": f"Product number {number}",
        "price": "£28.00",
    }
    return ProductCard(**{**of_shop, **fields})


def render(renderer: Renderer, campaign: Campaign, articles=(), products=(), send_at=AS_OF) -> Rendered:
    if campaign.articles and not articles:
        articles = [[make_card(1), make_card(2)], [make_card(3)], []]
    content = Content(articles=articles, products=products, offer=PLANNED if campaign.offer else None)
    return renderer.render(campaign, wave_id="w1", content=content, as_of=AS_OF, send_at=send_at)


class Page(HTMLParser):
    """The words of an HTML page by element (its title as `title`), and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.open.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag in ("h1", "h2", "title"):
            self.words.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag in {"h1", "h2", "title"} & set(self.open):
            self.words[tag][-1] += data
