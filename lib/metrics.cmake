chop_lib(metrics SOURCES metrics.c PUBLIC chop_base)
