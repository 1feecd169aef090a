"""`python -m jaragua_documents`: writes the generated parts of all pages; says which pages have changed."""

from __future__ import annotations

from jaragua_documents import board_files, layers
from jaragua_documents.generate import DOCS, current, pages


def main() -> None:
    """Write every page whose generated parts are not as the code says, picture and boards."""
    layers.PICTURE.write_text(layers.picture(), encoding="utf-8")
    board_files.write()
    for page in pages():
        text = current(page)
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            print(page.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
