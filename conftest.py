"""All tests, also those beside their connectors: a property is true or not, however busy the machine is."""

from hypothesis import settings

settings.register_profile("crossdock", deadline=None)
settings.load_profile("crossdock")
