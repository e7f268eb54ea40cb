"""The shape of every event and catalogue row that may arrive under landing/ (DESIGN 3), as data.

The tables of `raw`, the SQL that validates a file and the collector's answer all follow from `SOURCES`.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text", "id", "email", "country", "currency", "instant", "money", "integer", "boolean", "texts", "structs"
]

SQL_TYPES: dict[str, str] = {
    "text": "varchar",
    "id": "varchar",
    "email": "varchar",
    "country": "varchar",
    "currency": "varchar",
    "instant": "timestamptz",
    "integer": "bigint",
    "boolean": "boolean",
    "texts": "varchar[]",
}


@dataclass(frozen=True)
class Field:
    """One field of a row.

    Kinds: `text`; `id` (text that is never empty; a number is taken as its digits); `email`; `country` (ISO 3166 alpha-2);
    `currency` (three capitals); `instant` (ISO 8601 with an offset); `money` (decimal with `scale` digits); `integer`;
    `boolean`; `texts` (a list of text); `structs` (a list of objects with `fields`).
    """

    name: str
    kind: Kind
    required: bool = True
    allowed: tuple[str, ...] = ()
    minimum: int | None = None
    scale: int = 2
    fields: tuple["Field", ...] = ()

    @property
    def sql_type(self) -> str:
        if self.kind == "money":
            return f"decimal(18, {self.scale})"
        if self.kind == "structs":
            return "struct(" + ", ".join(f"{field.name} {field.sql_type}" for field in self.fields) + ")[]"
        return SQL_TYPES[self.kind]


@dataclass(frozen=True)
class Source:
    """One folder under landing/ and the table of `raw` that its rows go to.

    `addresses` pairs each email field with the column that holds its address id. A catalogue has no events: of its rows
    with one key the latest holds, so each keeps its place in the file.
    """

    name: str
    fields: tuple[Field, ...]
    addresses: tuple[tuple[str, str], ...] = ()
    is_catalogue: bool = False

    def columns(self) -> list[tuple[str, str]]:
        """Name and SQL type of each column of the raw table, in order."""
        after = dict(self.addresses)
        columns: list[tuple[str, str]] = []
        for field in self.fields:
            columns.append((field.name, field.sql_type))
            if field.name in after:
                columns.append((after[field.name], "uuid"))
        if self.is_catalogue:
            columns.append(("landing_row", "bigint"))
        return [*columns, ("landing_file", "varchar"), ("batch_id", "bigint"), ("ingested_at", "timestamptz")]


ORDER_STATUSES = ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed")
SIGNUP_ACTIONS = ("subscribe", "unsubscribe", "update_preferences")
CONSENT_BASES = ("consent", "soft_opt_in")
# How the id of an event begins that a browser told, without a key; the collector sees to it that no browser's begins otherwise.
BROWSERS_OWN = "web-"

ORDER_LINE = (
    Field("line_id", "id"),
    Field("sku", "text"),
    Field("name", "text"),
    Field("quantity", "integer", minimum=1),
    Field("unit_price", "money", minimum=0, scale=4),
)

ORDERS = Source(
    "orders",
    (
        Field("event_id", "id"),
        Field("occurred_at", "instant"),
        Field("order_id", "id"),
        Field("status", "text", allowed=ORDER_STATUSES),
        Field("placed_at", "instant"),
        Field("email", "email", required=False),
        Field("customer_id", "id", required=False),
        Field("currency", "currency"),
        Field("country", "country"),
        Field("subtotal", "money", minimum=0),
        Field("discount", "money", minimum=0),
        Field("shipping", "money", minimum=0),
        Field("tax", "money", minimum=0),
        Field("total", "money", minimum=0),
        Field("refunded", "money", minimum=0),
        Field("coupon_codes", "texts"),
        Field("lines", "structs", fields=ORDER_LINE),
    ),
    addresses=(("email", "address_id"),),
)

# is_professional: the shop has checked their registration as a health professional. A public form must not say so.
SIGNUPS = Source(
    "signups",
    (
        Field("event_id", "id"),
        Field("occurred_at", "instant"),
        Field("email", "email"),
        Field("previous_email", "email", required=False),
        Field("action", "text", allowed=SIGNUP_ACTIONS),
        Field("source", "text"),
        Field("basis", "text", required=False, allowed=CONSENT_BASES),
        Field("wording_version", "text", required=False),
        Field("source_url", "text", required=False),
        Field("first_name", "text", required=False),
        Field("interests", "texts"),
        Field("profiling_consent", "boolean", required=False),
        Field("health_consent", "boolean", required=False),
        Field("tracking_consent", "boolean", required=False),
        Field("is_professional", "boolean", required=False),
        Field("age_18_confirmed", "boolean", required=False),
        Field("visitor_id", "id", required=False),
    ),
    addresses=(("email", "address_id"), ("previous_email", "previous_address_id")),
)

ARTICLE_VIEWS = Source(
    "article_views",
    (
        Field("event_id", "id"),
        Field("occurred_at", "instant"),
        Field("article_id", "id"),
        Field("url", "text"),
        Field("visitor_id", "id"),
        Field("email", "email", required=False),
        Field("referrer", "text", required=False),
        Field("tracking_consent", "boolean"),
    ),
    addresses=(("email", "address_id"),),
)

ARTICLES = Source(
    "articles",
    (
        Field("article_id", "id"),
        Field("url", "text"),
        Field("title", "text"),
        Field("summary", "text"),
        Field("body", "text"),
        Field("treatments", "texts"),
        Field("published_at", "instant"),
        Field("status", "text"),
    ),
    is_catalogue=True,
)

PRODUCTS = Source(
    "products",
    (
        Field("sku", "id"),
        Field("name", "text"),
        Field("url", "text"),
        Field("price", "money", minimum=0),
        Field("currency", "currency"),
        Field("in_stock", "boolean"),
    ),
    is_catalogue=True,
)

SOURCES: dict[str, Source] = {source.name: source for source in (ORDERS, SIGNUPS, ARTICLE_VIEWS, ARTICLES, PRODUCTS)}

# ISO 3166-1 alpha-2, with XK (Kosovo, as shops and the EU write it) and ZZ (unknown).
COUNTRIES = tuple(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG
    UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW ZZ
    """.split()
)
