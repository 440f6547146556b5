import pytest

from archiver.simulator.settings import Settings


@pytest.mark.parametrize(
    ("generation", "limited", "app_name", "requests"),
    [
        ("1.11", False, "Pterodactyl", 720),
        ("1.12", True, "Pterodactyl", 720),
        ("pelican", True, "pelican", 256),
    ],
)
def test_generations_differ_in_limits_and_name(generation, limited, app_name, requests):
    settings = Settings(generation=generation)
    assert (settings.limited, settings.app_name) == (limited, app_name)
    assert settings.requests_a_minute == requests
