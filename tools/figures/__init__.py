"""What each block of figures on the pages says of the results, as Markdown; `docs_figures.py` puts it there."""
