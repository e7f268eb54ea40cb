"""A crowd that mixes every rule, drawn by a seeded generator: what happens, and in which of two weeks it arrives."""

import random
from datetime import datetime, timedelta

PEOPLE = 300
DEVICES = 240
ORDERS = 420
SIGNUPS = 700
VIEWS = 2600
TREATMENTS = ("peel", "led", "hair", "hair-loss", "acne/scars", "rosacea", "lips", "hairnets", "melasma")
STATES = ("pending", "processing", "on-hold", "completed", "completed", "completed", "cancelled", "refunded", "failed")


def two_weeks(as_of: datetime, later: datetime, seed: int = 20261116) -> tuple[list, list]:
    """(source, row) pairs of each week. Some events come in both, some late, some as another body, some before they are due."""
    draw = random.Random(seed)  # noqa: S311 (a crowd, no secret)
    crowd = _Crowd(draw, later)
    events = [*crowd.signups(), *crowd.moves(), *crowd.orders(), *crowd.views()]
    weeks: tuple[list, list] = (crowd.articles(), [])
    for source, row in events:
        late = datetime.fromisoformat(row["occurred_at"]) > as_of or draw.random() < 0.15
        early = draw.random() < 0.2
        weeks[late and not early].append((source, row))
        if draw.random() < 0.05:
            weeks[draw.random() < 0.5].append((source, row))
        if draw.random() < 0.05:
            weeks[draw.random() < 0.6].append((source, crowd.other_body(source, row)))
    for week in weeks:
        draw.shuffle(week)
    return weeks


class _Crowd:
    def __init__(self, draw: random.Random, until: datetime) -> None:
        self.draw = draw
        self.until = until
        self.number = 0

    def event(self) -> str:
        self.number += 1
        return f"crowd-{self.number:06}"

    def time(self, days: float) -> datetime:
        return self.until + timedelta(days=1) - timedelta(seconds=self.draw.randrange(int(days * 86400)))

    def person(self) -> str:
        name = f"p{self.draw.randrange(PEOPLE):03}@crowd.test"
        return self.draw.choice((name, name, name.upper(), f" {name}"))

    def device(self, email: str | None = None) -> str:
        # mostly one's own, sometimes another's
        own = self.draw.randrange(DEVICES) if email is None else int(email.strip()[1:4]) % DEVICES
        return f"device-{own if self.draw.random() < 0.93 else self.draw.randrange(DEVICES)}"

    def maybe(self, yes: float = 0.4, no: float = 0.1) -> bool | None:
        drawn = self.draw.random()
        return True if drawn < yes else False if drawn < yes + no else None

    def articles(self) -> list:
        return [("articles", self._article(number)) for number in range(60)]

    def _article(self, number: int) -> dict:
        return {
            "article_id": f"a{number}",
            "url": f"https://larkspur-skin.test/blog/a{number}",
            "title": f"a{number}",
            "summary": "About it.",
            "body": "All about it.",
            "treatments": self.draw.sample(TREATMENTS, self.draw.choice((0, 1, 1, 1, 2))),
            "published_at": self.time(400).isoformat(),
            "status": self.draw.choice(("publish", "publish", "publish", "draft")),
        }

    def signups(self) -> list:
        return [("signups", self._signup()) for _ in range(SIGNUPS)]

    def _signup(self) -> dict:
        email = self.person()
        action = self.draw.choice(("subscribe",) * 5 + ("unsubscribe",) + ("update_preferences",) * 2)
        return {
            "event_id": self.event(),
            "occurred_at": self.time(90).isoformat(),
            "email": email,
            "action": action,
            "source": "footer",
            "basis": self.draw.choice(("consent", "soft_opt_in", None)) if action == "subscribe" else None,
            "first_name": self.draw.choice(("Ada", "Bo", None)),
            "interests": [],
            "profiling_consent": self.maybe(0.5),
            "health_consent": self.maybe(0.25),
            "tracking_consent": self.maybe(0.5),
            "visitor_id": self.device(email) if self.draw.random() < 0.4 else None,
        }

    def moves(self) -> list:
        return [
            (
                "signups",
                self._signup() | {"action": "update_preferences", "previous_email": self.person(), "basis": None},
            )
            for _ in range(25)
        ]

    def orders(self) -> list:
        return [("orders", row) for _ in range(ORDERS) for row in self._states()]

    def _states(self) -> list[dict]:
        placed = self.time(220)
        email = self.person() if self.draw.random() < 0.95 else None
        order_id = f"crowd-order-{self.event()}"
        subtotal = self.draw.choice((4000, 9999, 10000, 10001, 12000, 15000, 25000))
        rows = []
        for step in range(self.draw.choice((1, 2, 2, 3))):
            rows.append(
                {
                    "event_id": self.event(),
                    "occurred_at": (placed + timedelta(hours=step * self.draw.choice((1, 30)))).isoformat(),
                    "order_id": order_id,
                    "status": self.draw.choice(STATES),
                    "placed_at": placed.isoformat(),
                    "email": email if self.draw.random() < 0.9 else self.draw.choice((None, self.person())),
                    "customer_id": f"c{self.draw.randrange(50)}",
                    "currency": self.draw.choice(("GBP",) * 9 + ("EUR",)),
                    "country": self.draw.choice(("GB",) * 9 + ("IE",)),
                    "subtotal": _money(subtotal),
                    "discount": _money(self.draw.choice((0, 0, 0, 2000))),
                    "shipping": "0.00",
                    "tax": "0.00",
                    "total": _money(subtotal),
                    "refunded": _money(self.draw.choice((0, 0, 0, 0, 5000))),
                    "coupon_codes": [],
                    "lines": [],
                }
            )
        return rows

    def views(self) -> list:
        return [("article_views", self._view()) for _ in range(VIEWS)]

    def _view(self) -> dict:
        email = self.person() if self.draw.random() < 0.2 else None
        article = f"a{self.draw.randrange(62)}"
        return {
            "event_id": self.event(),
            "occurred_at": self.time(45).isoformat(),
            "article_id": article,
            "url": f"https://larkspur-skin.test/blog/{article}",
            "visitor_id": self.device(email),
            "email": email,
            "tracking_consent": self.draw.random() < 0.75,
        }

    def other_body(self, source: str, row: dict) -> dict:
        """The same event told otherwise: about another moment, and mostly another person, order or device."""
        moment = datetime.fromisoformat(row["occurred_at"]) + timedelta(seconds=self.draw.choice((-3600, 60, 7200)))
        other = row | {"occurred_at": moment.isoformat()}
        change = self.draw.randrange(4)
        if change == 0:
            other["email"] = self.person()
        elif change == 1 and source == "orders":
            other["order_id"] = f"crowd-order-{self.event()}"
        elif change == 1 and source == "signups":
            other |= {"visitor_id": self.device(), "previous_email": None}
        elif change == 1:
            other |= {"visitor_id": self.device(), "article_id": f"a{self.draw.randrange(62)}"}
        elif change == 2 and source == "article_views":
            other["tracking_consent"] = not row["tracking_consent"]
        return other


def _money(pence: int) -> str:
    return f"{pence // 100}.{pence % 100:02}"
