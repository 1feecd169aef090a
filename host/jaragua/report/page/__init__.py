"""A report of runs as one HTML file: view (what is shown), charts (SVG), render (Jinja2)."""
