"""Named people, each living one rule of DESIGN 3, 4 and 5. A name is the local part of their first address @world.test."""

from datetime import UTC, datetime, timedelta
from itertools import count

AS_OF = datetime(2026, 11, 16, 8, tzinfo=UTC)
LATER = AS_OF + timedelta(days=7)
TICK = timedelta(microseconds=1)
_numbers = count(1)


def ago(days: float = 0, *, of: datetime = AS_OF) -> datetime:
    return of - timedelta(days=days)


def address(name: str) -> str:
    return name if "@" in name else f"{name}@world.test"


def signup(name, when, action="subscribe", *, source="footer", **said):
    row = {
        "event_id": f"s-{next(_numbers):05}",
        "occurred_at": when.isoformat(),
        "email": address(name),
        "action": action,
        "source": source,
        "interests": [],
        "basis": "consent" if action == "subscribe" else None,
    }
    return "signups", row | said


def moved(old, new, when, **said):
    return signup(new, when, "update_preferences", previous_email=address(old), **said)


def order(name, placed, subtotal="50.00", *, state="completed", since=None, order_id=None, **said):
    number = next(_numbers)
    row = {
        "event_id": f"o-{number:05}",
        "occurred_at": (since or placed).isoformat(),
        "order_id": order_id or f"order-of-{name}",
        "status": state,
        "placed_at": placed.isoformat(),
        "email": None if name is None else address(name),
        "currency": "GBP",
        "country": "GB",
        "subtotal": subtotal,
        "discount": "0.00",
        "shipping": "4.95",
        "tax": "10.00",
        "total": subtotal,
        "refunded": "0.00",
        "coupon_codes": [],
        "lines": [{"line_id": "1", "sku": "sku", "name": "Serum", "quantity": 1, "unit_price": subtotal}],
    }
    return "orders", row | said


def view(article, when, *, by=None, on=None, consent=True, **said):
    row = {
        "event_id": f"v-{next(_numbers):05}",
        "occurred_at": when.isoformat(),
        "article_id": article,
        "url": f"https://larkspur-skin.test/blog/{article}",
        "visitor_id": on or f"device-of-{by}",
        "email": None if by is None else address(by),
        "tracking_consent": consent,
    }
    return "article_views", row | said


def reads(name, *articles, on=None, when=None, **said):
    """Views of articles by an addressed reader, an hour apart, the last one at `when`."""
    when = when or ago(1)
    return [
        view(article, when - timedelta(hours=hours), by=name, on=on, **said) for hours, article in enumerate(articles)
    ]


def may_profile(name, *, when=None, **said):
    """A subscribe too long ago to make a new subscriber, with profiling consent."""
    return signup(name, when or ago(100), profiling_consent=True, **said)


def article(article_id, *treatments, status="publish"):
    row = {
        "article_id": article_id,
        "url": f"https://larkspur-skin.test/blog/{article_id}",
        "title": article_id,
        "summary": "About it.",
        "body": "All about it.",
        "treatments": list(treatments),
        "published_at": ago(300).isoformat(),
        "status": status,
    }
    return "articles", row


CATALOGUE = [
    article("peel-1", "peel"),
    article("peel-2", "Peel "),
    article("peel-3", "peel"),
    article("peel-4", "peel"),
    article("peel-draft", "peel", status="draft"),
    article("led-1", "led"),
    article("hair-1", "hair"),
    article("hair-2", "hair/mesotherapy"),
    article("hair-3", "Hair-loss"),
    article("acne-and-led", "acne", "led"),
    article("hairnets", "hairnets"),
    article("news-1"),
    article("news-2"),
]


def week_one() -> list[tuple[str, dict]]:
    return [
        *CATALOGUE,
        *_subscribers(),
        *_speakers(),
        *_buyers(),
        *_readers(),
        *_movers(),
        *_repeats(),
        *_to_be_changed(),
    ]


def _subscribers():
    return [
        signup("thirty-days", ago(30)),
        signup("a-tick-less-than-thirty-days", ago(30) + TICK),
        signup("this-instant", AS_OF),
        signup("a-tick-after", AS_OF + TICK),
        signup("cancelled-only", ago(3)),
        order("cancelled-only", ago(2), state="pending"),
        order("cancelled-only", ago(2), state="cancelled", since=ago(1)),
        signup("failed-only", ago(3)),
        order("failed-only", ago(2), state="failed"),
        signup("pending-order", ago(3)),
        order("pending-order", ago(2), state="pending"),
        signup("refunded-order", ago(3)),
        order("refunded-order", ago(2), state="refunded", refunded="50.00"),
        signup("bought-before", ago(3)),
        order("bought-before", ago(300)),
        signup("Two.Spellings", ago(3), email="  Two.Spellings@World.TEST "),
        order("two.spellings", ago(2), email="two.spellings@WORLD.test"),
        signup("back-again", ago(60)),
        signup("back-again", ago(40), "unsubscribe"),
        signup("back-again", ago(2)),
        order("customer-one", ago(3), customer_id="c-7"),
        order("customer-two", ago(3), customer_id="c-7"),
        signup("customer-two", ago(3)),
    ]


def _speakers():
    said = {
        "first_name": "Ann",
        "interests": ["peel"],
        "profiling_consent": True,
        "health_consent": True,
        "tracking_consent": True,
    }
    return [
        signup("gone", ago(5), **said, is_professional=True, age_18_confirmed=True),
        signup("gone", ago(4), "unsubscribe"),
        signup("gone-then-back", ago(6), **said),
        signup("gone-then-back", ago(5), "unsubscribe"),
        signup("gone-then-back", ago(4), basis="soft_opt_in"),
        signup("same-instant-a", ago(4), event_id="tie-a-1", **said),
        signup("same-instant-a", ago(4), "unsubscribe", event_id="tie-a-2"),
        signup("same-instant-b", ago(4), event_id="tie-b-2", **said),
        signup("same-instant-b", ago(4), "unsubscribe", event_id="tie-b-1"),
        signup("no-answer", ago(9), **said),
        signup("no-answer", ago(8), "update_preferences"),
        signup("no-answer", ago(7), basis=None),
        signup("takes-back", ago(9), **said),
        signup("takes-back", ago(8), "update_preferences", profiling_consent=False, first_name="Anna"),
        signup("no-basis", ago(9), basis=None),
        signup("basis-by-update", ago(9), basis=None),
        signup("basis-by-update", ago(8), "update_preferences", basis="consent"),
        signup("only-updates", ago(9), "update_preferences", profiling_consent=True),
        signup("updates-first", ago(9), "update_preferences", profiling_consent=True),
        signup("updates-first", ago(8)),
        signup("updates-after-leaving", ago(9), **said),
        signup("updates-after-leaving", ago(8), "unsubscribe"),
        signup("updates-after-leaving", ago(7), "update_preferences", tracking_consent=True),
    ]


def _line(sku):
    return {"line_id": "1", "sku": sku, "name": "Something", "quantity": 1, "unit_price": "20.00"}


def _buyers():
    return [
        order("at-the-line", ago(9), "100.00"),
        order("a-penny-over", ago(9), "100.01"),
        order("discounted-to-the-line", ago(9), "120.00", discount="20.00"),
        order("discounted-over-the-line", ago(9), "120.00", discount="19.99"),
        order("refunded-to-the-line", ago(9), "150.00"),
        order("refunded-to-the-line", ago(9), "150.00", since=ago(8), refunded="50.00"),
        order("refunded-over-the-line", ago(9), "150.00", since=ago(8), refunded="49.99"),
        order("shipping-does-not-count", ago(9), "99.00", shipping="15.00", total="114.00"),
        order("two-small-ones", ago(9), "60.00", order_id="small-1"),
        order("two-small-ones", ago(9), "60.00", order_id="small-2"),
        order("in-euro", ago(9), "150.00", currency="EUR"),
        order("in-ireland", ago(9), "150.00", country="IE"),
        order("processing", ago(9), "150.00", state="processing"),
        order("on-hold", ago(9), "150.00", state="on-hold"),
        order("all-refunded", ago(9), "150.00", state="refunded"),
        order("day-180", ago(180), "150.00"),
        order("a-tick-less-than-day-180", ago(180) + TICK, "150.00"),
        order("placed-this-instant", AS_OF, "150.00"),
        order("old-but-touched-lately", ago(200), "150.00", since=ago(1)),
        order(None, ago(9), "150.00", order_id="nobodys"),
        order("email-lost-on-the-way", ago(9), "150.00", state="pending"),
        order(None, ago(9), "150.00", since=ago(8), order_id="order-of-email-lost-on-the-way"),
        # the earlier state stands later in the file
        order("states-out-of-order", ago(9), "150.00", since=ago(7)),
        order("states-out-of-order", ago(9), "150.00", state="pending", since=ago(8)),
        order("buys-a-mask-and-gel", ago(3), "60.00", lines=[_line("mask"), _line("gel"), _line("mask"), _line("")]),
        # with codes of an email; the second order is cancelled in week two
        order("spends-a-code", ago(3), "150.00", coupon_codes=["SPRING"]),
        order("spends-and-cancels", ago(3), "80.00", coupon_codes=["k7mw00000002"]),
        order("completed-later", ago(9), "150.00", since=AS_OF + TICK),
        order("completed-later", ago(9), "150.00", state="pending"),
    ]


def _readers():
    return [
        may_profile("reader"),
        *reads("reader", "peel-1", "peel-2"),
        may_profile("same-article-twice"),
        *reads("same-article-twice", "peel-1", "peel-1"),
        may_profile("one-at-day-thirty"),
        *reads("one-at-day-thirty", "peel-1"),
        view("peel-2", ago(30), by="one-at-day-thirty"),
        may_profile("one-within-day-thirty"),
        *reads("one-within-day-thirty", "peel-1"),
        view("peel-2", ago(30) + TICK, by="one-within-day-thirty"),
        signup("not-profiled", ago(100), tracking_consent=True),
        *reads("not-profiled", "peel-1", "peel-2", "peel-3"),
        may_profile("not-tracked"),
        *reads("not-tracked", "peel-1"),
        *reads("not-tracked", "peel-2", "peel-3", consent=False),
        may_profile("hair-without-health"),
        *reads("hair-without-health", "hair-1", "hair-2", "hair-3", "peel-1"),
        may_profile("hair-with-health", health_consent=True),
        *reads("hair-with-health", "hair-2", "hair-3"),
        may_profile("health-taken-back", health_consent=True),
        signup("health-taken-back", ago(2), "update_preferences", health_consent=False),
        *reads("health-taken-back", "hair-1", "hair-2"),
        may_profile("one-treatment-allowed"),
        *reads("one-treatment-allowed", "acne-and-led", "peel-1"),
        may_profile("hairnets-are-not-hair"),
        *reads("hairnets-are-not-hair", "hairnets", "peel-1"),
        may_profile("no-treatment"),
        *reads("no-treatment", "news-1", "news-2", "gone-from-catalogue", "peel-1"),
        may_profile("reads-drafts"),
        *reads("reads-drafts", "peel-draft", "peel-1"),
        # a device that becomes known later
        view("peel-1", ago(9), on="d-known-later"),
        view("peel-2", ago(8), on="d-known-later"),
        view("peel-3", ago(8), on="d-known-later", consent=False),
        signup("known-later", ago(2), profiling_consent=True, tracking_consent=True, visitor_id="d-known-later"),
        view("peel-1", ago(9), on="d-by-view"),
        view("peel-2", ago(8), on="d-by-view"),
        view("news-1", ago(1), on="d-by-view", by="known-by-view"),
        may_profile("known-by-view"),
        view("peel-1", ago(9), on="d-untracked"),
        view("peel-2", ago(8), on="d-untracked"),
        view("news-1", ago(1), on="d-untracked", by="known-by-untracked-view", consent=False),
        may_profile("known-by-untracked-view", visitor_id="d-untracked"),
        # one person on two devices, an article read on each
        view("peel-1", ago(9), on="d-phone"),
        view("peel-2", ago(8), on="d-laptop"),
        may_profile("has-two-devices", tracking_consent=True, visitor_id="d-phone"),
        view("news-1", ago(1), on="d-laptop", by="has-two-devices"),
        # one device, read on before and after its owner changes address, and known under both
        view("peel-1", ago(9), on="d-of-a-mover"),
        may_profile("reads-and-moves", tracking_consent=True, visitor_id="d-of-a-mover"),
        moved("reads-and-moves", "reads-and-moves-2", ago(5), tracking_consent=True, visitor_id="d-of-a-mover"),
        view("peel-2", ago(2), on="d-of-a-mover"),
        # two on one device: theirs is only what carries their address
        view("peel-1", ago(9), on="d-shared"),
        view("peel-2", ago(8), on="d-shared"),
        may_profile("shares-a", tracking_consent=True, visitor_id="d-shared"),
        may_profile("shares-b", tracking_consent=True, visitor_id="d-shared"),
        *reads("shares-b", "led-1", "peel-3", on="d-shared"),
    ]


def _movers():
    return [
        signup("moves", ago(10), profiling_consent=True, visitor_id="d-moves", tracking_consent=True),
        moved("moves", "moves-2", ago(5)),
        order("moves-2", ago(2), "150.00"),
        view("peel-1", ago(6), on="d-moves"),
        view("peel-2", ago(4), on="d-moves", by="moves-2"),
        # the new address had a life of its own before
        signup("had-it-before", ago(20), first_name="Before"),
        order("had-it-before", ago(20), "150.00"),
        signup("takes-it", ago(60), first_name="Taker"),
        moved("takes-it", "had-it-before", ago(5)),
        order("had-it-before", ago(4), order_id="after-the-take", state="processing"),
        # to the tick
        signup("to-the-tick", ago(60)),
        order("to-the-tick-2", ago(5) - TICK, order_id="tick-before"),
        order("to-the-tick-2", ago(5), order_id="tick-of"),
        moved("to-the-tick", "to-the-tick-2", ago(5)),
        # A → B → C, told backwards
        moved("chain-b", "chain-c", ago(4)),
        order("chain-c", ago(3), "150.00", order_id="order-of-chain"),
        moved("chain-a", "chain-b", ago(6)),
        signup("chain-a", ago(50)),
        # there and back
        signup("there-and-back", ago(50)),
        moved("there-and-back", "there", ago(6)),
        moved("there", "there-and-back", ago(4)),
        # changed to an address that somebody else then changed to
        signup("lost-it", ago(50)),
        moved("lost-it", "fought-over", ago(6)),
        signup("won-it", ago(50)),
        moved("won-it", "fought-over", ago(4)),
        # only update_preferences changes an address
        signup("subscribes-with-previous", ago(3), previous_email=address("is-not-previous")),
        signup("is-not-previous", ago(3)),
    ]


def _repeats():
    twice = view("peel-1", ago(3), by="same-event-twice")
    body = {"event_id": "two-bodies", "order_id": "order-of-two-bodies"}
    tie = {"event_id": "two-bodies-tie", "occurred_at": ago(3).isoformat()}
    return [
        may_profile("same-event-twice"),
        twice,
        twice,
        may_profile("one-event-two-articles"),
        view("peel-1", ago(3), by="one-event-two-articles", event_id="one-event"),
        view("peel-2", ago(2), by="one-event-two-articles", event_id="one-event"),
        order("two-bodies", ago(9), "90.00", since=ago(8), **body),
        order("two-bodies", ago(9), "150.00", since=ago(9), **body),
        signup("two-bodies-at-once", ago(3), **tie, first_name="Zoe"),
        signup("two-bodies-at-once", ago(3), **tie, first_name="Amy"),
        # the later body is not due yet
        order("later-body", ago(9), "150.00", event_id="later-body"),
        order("later-body", ago(9), "90.00", event_id="later-body", since=AS_OF + timedelta(days=1)),
    ]


def _to_be_changed():
    return [
        signup("unsubscribes-in-week-two", ago(3)),
        signup("orders-in-week-two", ago(3)),
        order("cancels-in-week-two", ago(9), "150.00"),
        signup("cancels-without-email", ago(3)),
        order("cancels-without-email", ago(2), "50.00"),
        signup("order-goes-to-another", ago(3)),
        order("order-goes-to-another", ago(2), "150.00"),
        order("late-state", ago(9), "150.00", since=ago(1)),
        # alone on a device until week two
        may_profile("alone-till-then", tracking_consent=True, visitor_id="d-till-then"),
        view("peel-1", ago(3), on="d-till-then"),
        view("peel-2", ago(3), on="d-till-then"),
        view("peel-1", ago(3), on="d-known-in-week-two"),
        view("peel-2", ago(3), on="d-known-in-week-two"),
        # a change of address that arrives in week two, though it is older than all of this
        signup("vanishes", ago(5), profiling_consent=True),
        order("vanishes", ago(4), "150.00"),
        *reads("vanishes", "peel-1", "peel-2", on="d-vanishes"),
        view("led-1", ago(2), on="d-vanishes"),
        # shared, and one of the two changes address in week two
        may_profile("stays-shared-a", tracking_consent=True, visitor_id="d-stays-shared"),
        may_profile("stays-shared-b", tracking_consent=True, visitor_id="d-stays-shared"),
        view("peel-1", ago(3), on="d-stays-shared"),
        view("peel-2", ago(3), on="d-stays-shared"),
        # bodies that week two replaces by such that speak of somebody or something else
        order("body-names-order-1", ago(9), "150.00", event_id="renamed-order", order_id="wrong-order"),
        signup("body-names-wrong-person", ago(3), event_id="renamed-person"),
        may_profile("device-renamed", tracking_consent=True, visitor_id="d-wrong", event_id="renamed-device"),
        view("peel-1", ago(3), on="d-wrong"),
        view("peel-2", ago(3), on="d-wrong"),
        signup("wrongly-moved", ago(50)),
        signup("wrongly-moved-2", ago(20), event_id="wrongly-moved-2-said"),
        moved("wrongly-moved", "wrongly-moved-2", ago(19), event_id="wrong-move"),
        order("wrongly-moved-2", ago(9), "150.00"),
        # has read all but one of what can be recommended; reads that in week two
        may_profile("reads-it-all"),
        *reads("reads-it-all", "peel-1", "peel-2", "peel-3", "acne-and-led", "led-1", "hairnets", "news-1", "news-2"),
        # leaves and comes back without anything new being said
        signup("bounces", ago(3)),
        signup("complains", ago(3)),
        signup("unsubscribes-in-the-email", ago(3)),
    ]


def week_two() -> list[tuple[str, dict]]:
    return [
        signup("unsubscribes-in-week-two", ago(1, of=LATER), "unsubscribe"),
        order("orders-in-week-two", ago(1, of=LATER), "150.00"),
        order("cancels-in-week-two", ago(9), "150.00", state="cancelled", since=ago(2, of=LATER)),
        order(
            None, ago(2), "50.00", state="cancelled", since=ago(2, of=LATER), order_id="order-of-cancels-without-email"
        ),
        order("order-is-now-mine", ago(2), "150.00", since=ago(2, of=LATER), order_id="order-of-order-goes-to-another"),
        order("spends-a-code", ago(2), "90.00", order_id="spent-2", coupon_codes=["K7MW00000001"]),
        order("somebody-elses-code", ago(1), "70.00", order_id="spent-1", coupon_codes=["other", " k7mw00000001 "]),
        order(
            "spends-and-cancels",
            ago(3),
            "80.00",
            state="cancelled",
            since=ago(1, of=LATER),
            coupon_codes=["k7mw00000002"],
        ),
        order("late-state", ago(9), "150.00", state="pending", since=ago(9)),
        may_profile("second-on-the-device", when=ago(50), tracking_consent=True, visitor_id="d-till-then"),
        signup(
            "known-in-week-two",
            ago(1, of=LATER),
            profiling_consent=True,
            tracking_consent=True,
            visitor_id="d-known-in-week-two",
        ),
        moved("vanished-into", "vanishes", ago(30)),
        moved("somebody-else", "stays-shared-a", ago(1, of=LATER)),
        order("body-names-order-1", ago(9), "150.00", since=ago(8), event_id="renamed-order", order_id="right-order"),
        signup("body-names-right-person", ago(2), event_id="renamed-person"),
        may_profile(
            "device-renamed", when=ago(99), tracking_consent=True, visitor_id="d-right", event_id="renamed-device"
        ),
        signup("wrongly-moved-2", ago(18), "update_preferences", event_id="wrong-move"),
        *reads("reads-it-all", "peel-4", when=ago(1, of=LATER)),
        # the middle of a chain, told last
        signup("long-chain-a", ago(50)),
        moved("long-chain-c", "long-chain-d", ago(2)),
        moved("long-chain-a", "long-chain-b", ago(8)),
        order("long-chain-d", ago(1), "150.00", order_id="order-of-long-chain"),
        moved("long-chain-b", "long-chain-c", ago(5)),
    ]


def _delivery(name, delivery, when, wave_id="wave-1", code=None):
    told = {"wave_id": wave_id, "email": address(name), "delivery": delivery, "recorded_at": when}
    return told | {"offer_code": code}


DELIVERIES = [
    [
        _delivery("bounces", "hard_bounce", ago(1)),
        _delivery("unsubscribes-in-the-email", "sent", ago(1)),
        _delivery("spends-a-code", "sent", ago(10), "wave-0", "K7MW00000001"),
        _delivery("spends-and-cancels", "sent", ago(10), "wave-0", "K7MW00000002"),
    ],
    [
        _delivery("complains", "complained", ago(1, of=LATER)),
        _delivery("bounces", "sent", ago(1, of=LATER), "wave-2"),
        _delivery("unsubscribes-in-the-email", "unsubscribed", ago(1, of=LATER)),
        _delivery("unsubscribes-in-the-email", "sent", LATER - timedelta(hours=1)),
    ],
]
