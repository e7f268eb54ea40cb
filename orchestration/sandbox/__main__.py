"""`python -m orchestration.sandbox`: serve the sandbox until stopped."""

from orchestration.sandbox.server import serve
from orchestration.settings import Settings

if __name__ == "__main__":
    serve(Settings.from_env())
