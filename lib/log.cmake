chop_lib(log SOURCES log.c PUBLIC chop_base)
