"""A code that an email gave is found again in the order that took it, however it is written there."""


def redeemed(seen):
    rows = seen.rows(
        "select offer_code, redeemed_order_id from lake.marts.campaign_deliveries where offer_code is not null"
    )
    return {row["offer_code"]: row["redeemed_order_id"] for row in rows}


def performance(seen):
    return seen.rows(
        "select redeemed_count, redeemed_gbp from lake.marts.campaign_performance where wave_id = 'wave-0'"
    )


def test_an_order_that_took_the_code_is_named_beside_it_whatever_the_case(first):
    assert redeemed(first) == {"K7MW00000001": None, "K7MW00000002": "order-of-spends-and-cancels"}
    assert [(row["redeemed_count"], str(row["redeemed_gbp"])) for row in performance(first)] == [(1, "80.00")]


def test_of_several_orders_the_first_counts_whoever_placed_it_and_a_cancelled_one_no_more(second):
    assert redeemed(second) == {"K7MW00000001": "spent-2", "K7MW00000002": None}
    assert [(row["redeemed_count"], str(row["redeemed_gbp"])) for row in performance(second)] == [(1, "90.00")]


def test_products_bought_together_are_those_of_one_order(world):
    rows = world.second.rows("select sku, related_sku from lake.intermediate.int_bought_together")
    assert sorted((row["sku"], row["related_sku"]) for row in rows) == [("gel", "mask"), ("mask", "gel")]
    skus = world.second.order("order-of-buys-a-mask-and-gel").skus
    assert skus == ["gel", "mask"]
