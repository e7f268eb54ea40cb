"""What each contact is recommended, and why: their own where they agreed to that, what all get elsewhere."""

import pytest

CODES = {"read_together", "similar_text", "popular", "new"}


def recommended(seen, name: str) -> list[dict]:
    return seen.rows(
        """
        select article_id, reason, topic, has_sensitive_treatment
        from lake.marts.recommended_articles
        left join lake.intermediate.int_recommendable_articles using (article_id)
        where contact_id = ? order by rank
        """,
        seen.id(name),
    )


def common(seen, for_health_consent: bool) -> list[str]:
    rows = seen.rows(
        "select article_id from lake.intermediate.int_common_recommendations where for_health_consent = ? order by rank",
        for_health_consent,
    )
    return [row["article_id"] for row in rows]


def test_everybody_who_may_be_written_to_is_recommended_something(first):
    rows = first.rows(
        """
        select contact_id::varchar as contact_id from lake.marts.contacts
        where
            is_addressable
            and contact_id not in (select contact_id from lake.marts.recommended_articles)
        """
    )
    assert rows == []


@pytest.mark.parametrize("name", ["not-profiled", "health-taken-back", "thirty-days"])
def test_whoever_may_not_be_profiled_or_read_nothing_gets_what_all_get(first, name):
    """The first read three articles on peels, the second two on hair, the third none."""
    assert first.contact(name).is_addressable
    assert [row["article_id"] for row in recommended(first, name)] == common(first, False)
    assert {row["reason"] for row in recommended(first, name)} <= {"popular", "new"}


def test_a_reader_gets_what_goes_with_their_reading_first(first):
    rows = recommended(first, "reader")
    assert rows[0]["reason"] in ("read_together", "similar_text")
    assert [row["article_id"] for row in rows] != common(first, False)


def test_without_health_consent_nothing_health_sensitive_is_recommended(first):
    rows = first.rows(
        """
        select * from lake.marts.recommended_articles
        join lake.intermediate.int_articles using (article_id)
        join lake.marts.contacts using (contact_id)
        where has_sensitive_treatment and not has_health_consent
        """
    )
    assert rows == []
    assert any(row["has_sensitive_treatment"] for row in recommended(first, "hair-with-health"))
    assert set(common(first, True)) != set(common(first, False))


def test_of_the_first_three_not_all_are_of_one_topic(first):
    """Everybody has more than one topic to read about here."""
    rows = first.rows(
        """
        select contact_id from lake.marts.recommended_articles
        join lake.intermediate.int_recommendable_articles using (article_id)
        where rank <= 3
        group by contact_id having count(distinct coalesce(topic, article_id)) = 1 and count(*) = 3
        """
    )
    assert rows == []


def test_ranks_have_no_gaps_and_reasons_are_codes(first):
    rows = first.rows(
        """
        select
            contact_id, max(rank) as last, count(distinct rank) as ranks, count(*) as articles,
            list(distinct reason) as reasons
        from lake.marts.recommended_articles
        group by contact_id
        """
    )
    assert rows
    assert all(row["last"] == row["ranks"] == row["articles"] <= 10 for row in rows)
    assert {reason for row in rows for reason in row["reasons"]} <= CODES


def test_what_is_not_published_is_neither_related_nor_recommended(first):
    named = (
        "select article_id from lake.marts.related_articles union select related_article_id from lake.marts.related_articles "
        "union select article_id from lake.marts.recommended_articles"
    )
    assert (
        first.rows(
            f"select * from ({named}) where article_id not in "
            "(select article_id from lake.intermediate.int_articles where is_published)"
        )
        == []
    )
    assert {"peel-draft"} & {
        row["article_id"] for row in first.rows("select article_id from lake.intermediate.int_articles")
    }


def test_an_article_that_nobody_read_has_relatives(first):
    rows = first.rows(
        """
        select article_id from lake.intermediate.int_recommendable_articles
        where article_id not in (select article_id from lake.intermediate.int_article_views) and topic is not null
        and article_id not in (select article_id from lake.marts.related_articles)
        """
    )
    assert rows == []
