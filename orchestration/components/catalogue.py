"""The campaigns there are: one folder each under defs/campaigns."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from orchestration.core.campaign import Campaign
from orchestration.core.errors import CampaignError
from orchestration.settings import PROJECT_DIR

CAMPAIGNS_DIR = PROJECT_DIR / "orchestration" / "defs" / "campaigns"


def all_campaigns(folder: Path = CAMPAIGNS_DIR) -> list[Campaign]:
    """Every campaign, in the order they are planned. Raises CampaignError that names the file and what is wrong in it."""
    found = [read_campaign(path) for path in folder.glob("*/defs.yaml")]
    return sorted(found, key=lambda campaign: (campaign.priority, campaign.name))


def read_campaign(path: Path) -> Campaign:
    """The campaign that a `defs.yaml` describes."""
    try:
        return Campaign.model_validate(yaml.safe_load(path.read_text())["attributes"])
    except (yaml.YAMLError, ValidationError, KeyError, TypeError) as error:
        raise CampaignError(f"{path.parent.name}/{path.name} is no campaign file: {error}") from error
