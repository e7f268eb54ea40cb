"""A shop learns of codes by a file; what stands in it is what the email says."""

from datetime import date

from orchestration.core.campaign import PlannedOffer
from orchestration.core.offers import COUPON_COLUMNS, coupon_rows


def test_a_coupon_takes_its_percentage_once_and_lasts_through_the_day_the_email_names():
    offer = PlannedOffer(percent=10, closes_on=date(2026, 12, 31), excluded_categories=(7, 12))
    [row] = coupon_rows(["K7MWTQX4RJ9C"], offer, wave_id="w1")
    assert dict(zip(COUPON_COLUMNS, row, strict=True)) == {
        "post_title": "K7MWTQX4RJ9C",
        "post_excerpt": "Pennypost w1",
        "post_status": "publish",
        "discount_type": "percent",
        "coupon_amount": "10",
        "individual_use": "yes",
        "usage_limit": "1",
        "usage_limit_per_user": "1",
        "expiry_date": "2027-01-01",  # WooCommerce ends a coupon as that day begins
        "exclude_product_categories": "7|12",
    }
