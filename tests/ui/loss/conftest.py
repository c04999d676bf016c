import pytest


@pytest.fixture
def app(app):
    """The app on its first page."""
    return app.run()
