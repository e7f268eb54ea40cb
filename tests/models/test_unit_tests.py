"""The unit tests that stand beside the models are run here, not with each build."""

from orchestration.resources import models

EXPECTED = {
    "int_article_views",
    "int_address_owners",
    "int_visitors",
    "int_consents",
    "int_articles",
    "orders",
    *models.segments(),
}


def test_the_models_own_unit_tests_pass(world, told):
    nodes = models.unit_test(world.settings, world.warehouse, told.LATER)
    assert {node.status for node in nodes} == {"pass"}
    assert {node.unique_id.split(".")[2] for node in nodes} >= EXPECTED


def test_a_build_does_not_run_them(world):
    assert world.nodes
    assert not [node for node in world.nodes if node.unique_id.startswith("unit_test")]
