"""The policy check against phrases labelled from the rules' sources alone, policy_phrases.yaml. `make check-policy` prints it."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from orchestration.core.policy import (
    Finding,
    check_address,
    check_catalogue,
    check_data,
    check_html,
    check_image,
    check_text,
)

LEAST = 0.99  # right each way
AUDIENCE = {"public": "public", "professional": "professionals"}
RULE = {
    "prescription_only_medicine": "medicine_named",
    "prescription_only_medicine_hint": "medicine_hinted_at",
    "unlicensed_medicine": "medicine_unlicensed",
    "medicinal_claim": "medicinal_claim",
    "pressure_on_procedure": "pressure_on_procedures",
    "fake_urgency": "false_urgency",
    "same_day_delivery": "same_day_delivery",
    "before_after_picture": "before_and_after",
    "under_18_procedure": "procedures_for_the_young",
    "merge_tag_injection": "merge_tag",
    "health_word_in_data": "health_word_in_data",
}


def found(phrase: dict) -> list[Finding]:
    text, place = phrase["text"], phrase["place"]
    audience = AUDIENCE[phrase.get("audience", "public")]
    if place in ("subject", "preheader", "text"):
        return check_text(text, place, audience)
    if place == "html":
        return check_html(text, place, audience)
    if place == "link":
        return check_address(text, place, audience)
    if place == "image":
        return check_image(text, "", place, audience)
    if place in ("member_field", "tag", "campaign_title"):
        return check_data(text, place, phrase.get("name", ""))
    return check_catalogue({place.split("_")[1]: text}, audience)


@pytest.fixture(scope="module")
def answers() -> list[tuple[dict, list[Finding]]]:
    phrases = yaml.safe_load(Path(__file__).with_name("policy_phrases.yaml").read_text(encoding="utf-8"))["phrases"]
    return [(phrase, found(phrase)) for phrase in phrases]


@pytest.mark.parametrize(("expected", "told"), [("barred", "caught"), ("allowed", "let through")])
def test_nearly_every_phrase_is_judged_as_its_source_says(answers, expected, told):
    of_these = [(phrase, findings) for phrase, findings in answers if phrase["expected"] == expected]
    wrong = [
        f"{phrase['id']} {phrase['text']!r}: {', '.join(one.rule for one in findings) or 'nothing found'}"
        for phrase, findings in of_these
        if bool(findings) != (expected == "barred")
    ]
    right = len(of_these) - len(wrong)
    print(f"\n{expected}: {right} of {len(of_these)} {told} ({right / len(of_these):.1%})", *wrong, sep="\n  ")
    assert len(of_these) >= 100
    assert right >= LEAST * len(of_these)


def test_what_is_caught_is_mostly_caught_by_the_rule_it_breaks(answers):
    counts = Counter[tuple[str, bool]]()
    for phrase, findings in answers:
        if phrase["expected"] == "barred":
            counts[phrase["kind"], RULE[phrase["kind"]] in {one.rule for one in findings}] += 1
    for kind in RULE:
        print(f"  {kind}: {counts[kind, True]} of {counts[kind, True] + counts[kind, False]} by the rule of that name")
    by_the_rule = sum(number for (_, is_same), number in counts.items() if is_same)
    assert by_the_rule >= 0.9 * counts.total()
