"""The reader of each kind of data."""

from jaragua_models.own_data.description import Description
from jaragua_models.own_data.reading import audio, images, table
from jaragua_models.own_data.samples import Table

_READERS = {"table": table.read, "audio": audio.read, "images": images.read}


def read(description: Description) -> Table:
    """All samples. Raises: DataError that names file and line, or the file in the folder."""
    return _READERS[description.kind](description)
