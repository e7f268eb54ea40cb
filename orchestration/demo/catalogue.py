"""What the shop sells and writes: products.yaml and content/*.md as rows of the landing contract (DESIGN 3)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources

import yaml

SHOP = "https://larkspur-skin.test"


@dataclass(frozen=True)
class Article:
    """One article of the blog. `age_days` counts back from the moment of seeding: none is from the future."""

    article_id: str
    slug: str
    title: str
    summary: str
    body: str
    treatments: tuple[str, ...]
    age_days: int
    status: str

    @property
    def url(self) -> str:
        return f"{SHOP}/blog/{self.slug}"

    def row(self, now: datetime) -> dict:
        return {
            "article_id": self.article_id,
            "url": self.url,
            "title": self.title,
            "summary": self.summary,
            "body": self.body,
            "treatments": list(self.treatments),
            "published_at": (now - timedelta(days=self.age_days)).isoformat(),
            "status": self.status,
        }


@dataclass(frozen=True)
class Product:
    sku: str
    slug: str
    name: str
    price: Decimal
    in_stock: bool

    def row(self) -> dict:
        return {
            "sku": self.sku,
            "name": self.name,
            "url": f"{SHOP}/products/{self.slug}",
            "price": self.price,
            "currency": "GBP",
            "in_stock": self.in_stock,
        }


@cache
def articles() -> dict[str, Article]:
    """All articles by article_id, in the order of their ids. A file is YAML between `---` lines, then the body."""
    found = []
    for file in (resources.files("orchestration.demo") / "content").iterdir():
        if not file.name.endswith(".md"):
            continue
        _, head, body = file.read_text(encoding="utf-8").split("---\n", 2)
        meta = yaml.safe_load(head)
        meta["treatments"] = tuple(meta["treatments"])
        found.append(Article(slug=file.name.removesuffix(".md"), body=body.strip(), **meta))
    found.sort(key=lambda article: article.article_id)
    return {article.article_id: article for article in found}


@cache
def products() -> dict[str, Product]:
    """All products by SKU. Prices are in GBP with VAT."""
    text = (resources.files("orchestration.demo") / "products.yaml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)
    return {
        row["sku"]: Product(row["sku"], row["slug"], row["name"], Decimal(row["price"]), row.get("in_stock", True))
        for row in rows
    }
