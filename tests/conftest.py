"""Being here puts tests/ on the import path, so that tests share `strategies`."""

from hypothesis import settings

settings.register_profile("cascadesim", deadline=None)  # machines differ; only results count
settings.load_profile("cascadesim")
