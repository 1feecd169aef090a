"""Where data sets come from (locate, download), how their files are read (png, wav) and how tasks are drawn from them.

No model of the zoo: the rooms that are share this one. Nothing is read or fetched when it is imported.
"""

from jaragua_models.data.locate import DATA_DIR_VARIABLE, Source, cache_folder, find, local

__all__ = ["DATA_DIR_VARIABLE", "Source", "cache_folder", "find", "local"]
