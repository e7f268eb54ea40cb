import re
import shutil
import subprocess

import pytest

from orchestration.settings import PROJECT_DIR

README = (PROJECT_DIR / "README.md").read_text()
# in a code block or between backticks, so that "make sure" is no command
COMMANDS = sorted(set(re.findall(r"(?:`|^\$ )make ([a-z-]+)", README, re.MULTILINE)))

FILES = sorted(
    name
    for name in set(re.findall(r"(?:\(|`)([\w./-]+/[\w./-]+\.\w+)(?:\)|`)", README))
    if not name.startswith(("data/", "landing/", "path/"))  # of the reader's own machine
)


@pytest.fixture(scope="module")
def help_text():
    make = shutil.which("make")
    return subprocess.run([make, "help"], cwd=PROJECT_DIR, capture_output=True, text=True, check=True).stdout


def test_the_readme_names_the_commands_a_newcomer_needs():
    assert {"run", "once", "test", "sql", "why"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_the_readme_is_one_that_make_knows_and_explains(name, help_text):
    assert re.search(rf"^{name} ", help_text, re.MULTILINE), f"make help does not list {name}"


@pytest.mark.parametrize("name", FILES)
def test_each_file_of_the_project_that_the_readme_names_is_there(name):
    assert (PROJECT_DIR / name.replace("<name>", "welcome")).exists()
