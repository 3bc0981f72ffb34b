chop_lib(outline SOURCES outline.c PUBLIC chop_base)
